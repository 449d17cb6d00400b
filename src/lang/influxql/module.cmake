# The lexer and the grammar are generated where the build is; their warnings are not ours to mend.
set(influxql_generated ${CMAKE_BINARY_DIR}/generated/lang/influxql)
file(MAKE_DIRECTORY ${influxql_generated})
find_program(NILO_LEMON lemon REQUIRED)
find_program(NILO_RE2C re2c REQUIRED)
add_custom_command(
  OUTPUT ${influxql_generated}/grammar.c ${influxql_generated}/grammar.h
  COMMAND ${NILO_LEMON} -q -d${influxql_generated} ${CMAKE_SOURCE_DIR}/${folder}/grammar.y
  DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/grammar.y
  VERBATIM)
add_custom_command(
  OUTPUT ${influxql_generated}/lexer.c
  COMMAND ${NILO_RE2C} -W --no-generation-date -o ${influxql_generated}/lexer.c
          ${CMAKE_SOURCE_DIR}/${folder}/lexer.re
  DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/lexer.re ${influxql_generated}/grammar.h
  VERBATIM)
set_source_files_properties(${influxql_generated}/grammar.c ${influxql_generated}/lexer.c
                            PROPERTIES COMPILE_OPTIONS -w)
target_sources(nilo_influxql PRIVATE ${influxql_generated}/grammar.c ${influxql_generated}/lexer.c)
