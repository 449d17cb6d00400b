# As in kernel/module.cmake: one build of the loops per instruction set, always optimized.
foreach(isa base avx2 avx512)
  string(TOUPPER ${isa} upper)
  set_source_files_properties(src/codec/codec_loops_${isa}.c PROPERTIES
    COMPILE_OPTIONS "${NILO_LOOPS_${upper}}")
endforeach()

# Bytes a value and speed, by hand: not part of the tests.
add_executable(codec_speed EXCLUDE_FROM_ALL bench/codec_speed.c)
target_link_libraries(codec_speed PRIVATE nilo_codec ${below} nilo_flags)

# What `make bench-codec` runs; LZ4 is measured beside where it is installed.
file(GLOB bench_codec_sources CONFIGURE_DEPENDS bench/codec/*.c)
add_executable(bench_codec EXCLUDE_FROM_ALL ${bench_codec_sources})
target_link_libraries(bench_codec PRIVATE nilo_codec ${below} nilo_flags PkgConfig::ZSTD m)
pkg_check_modules(LZ4 QUIET IMPORTED_TARGET liblz4)
if(LZ4_FOUND)
  target_compile_definitions(bench_codec PRIVATE NILO_LZ4)
  target_link_libraries(bench_codec PRIVATE PkgConfig::LZ4)
endif()
