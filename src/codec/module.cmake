# As in kernel/module.cmake: one build of the loops per instruction set, always optimized.
foreach(isa base avx2 avx512)
  string(TOUPPER ${isa} upper)
  set_source_files_properties(src/codec/codec_loops_${isa}.c PROPERTIES
    COMPILE_OPTIONS "${NILO_LOOPS_${upper}}")
endforeach()
