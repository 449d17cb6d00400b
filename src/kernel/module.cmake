# Hot loops are built once per instruction set and chosen at run time (kernel/isa.h). They stay
# optimized in every preset: a debug build that scans at a tenth of the speed tests nothing better.
# A sanitizer build keeps its instrumentation. No contraction: results are the same in every build.
set(NILO_LOOPS_BASE -O3 -ffp-contract=off)
set(NILO_LOOPS_AVX2 ${NILO_LOOPS_BASE} -mavx2 -mbmi -mbmi2 -mfma -mlzcnt)
set(NILO_LOOPS_AVX512 ${NILO_LOOPS_AVX2} -mavx512f -mavx512bw -mavx512dq -mavx512vl
    -mprefer-vector-width=512)
foreach(isa base avx2 avx512)
  string(TOUPPER ${isa} upper)
  set_source_files_properties(src/kernel/statistics_${isa}.c src/kernel/loops_${isa}.c
    src/kernel/hash_${isa}.c PROPERTIES
    COMPILE_OPTIONS "${NILO_LOOPS_${upper}}")
endforeach()
