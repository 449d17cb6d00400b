# The lexer and the grammar are generated where the build is; their warnings are not ours to mend.
# The grammar is three files, one behind the other.
set(sql_generated ${CMAKE_BINARY_DIR}/generated/lang/sql)
file(MAKE_DIRECTORY ${sql_generated})
find_program(NILO_LEMON lemon REQUIRED)
find_program(NILO_RE2C re2c REQUIRED)
set(sql_folder ${CMAKE_SOURCE_DIR}/${folder})
set(sql_grammar ${sql_folder}/sql_grammar.y ${sql_folder}/grammar_expressions.y
    ${sql_folder}/grammar_statements.y)
add_custom_command(
  OUTPUT ${sql_generated}/grammar.c ${sql_generated}/grammar.h
  COMMAND sh -c "cat \"$@\" > grammar.y && \"${NILO_LEMON}\" -q grammar.y" sh ${sql_grammar}
  WORKING_DIRECTORY ${sql_generated}
  DEPENDS ${sql_grammar}
  VERBATIM)
add_custom_command(
  OUTPUT ${sql_generated}/lexer.c
  COMMAND ${NILO_RE2C} -W --no-generation-date -o ${sql_generated}/lexer.c ${sql_folder}/sql_lexer.re
  DEPENDS ${sql_folder}/sql_lexer.re ${sql_generated}/grammar.h
  VERBATIM)
set_source_files_properties(${sql_generated}/grammar.c ${sql_generated}/lexer.c
                            PROPERTIES COMPILE_OPTIONS -w)
set_source_files_properties(${sql_folder}/keywords.c ${sql_folder}/parser.c PROPERTIES OBJECT_DEPENDS
                            ${sql_generated}/grammar.h)
target_sources(nilo_sql PRIVATE ${sql_generated}/grammar.c ${sql_generated}/lexer.c)
