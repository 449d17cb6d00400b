# As in kernel/module.cmake: one build of the loops per instruction set, always optimized.
foreach(isa base avx2 avx512)
  string(TOUPPER ${isa} upper)
  set_source_files_properties(src/codec/codec_loops_${isa}.c PROPERTIES
    COMPILE_OPTIONS "${NILO_LOOPS_${upper}}")
endforeach()

# Bytes a value and speed, by hand: not part of the tests.
add_executable(codec_speed EXCLUDE_FROM_ALL bench/codec_speed.c)
target_link_libraries(codec_speed PRIVATE nilo_codec ${below} nilo_flags)
