# libnilo: the engine (nilo/nilo.h) and the ordered store alone (nilo/store.h) for other programs,
# static and shared, from one relocatable object.
#
# What they are made of is linked into one object, in which everything hidden (all but nilo_…) is
# made local. So the archive, too, exports nothing else: its names cannot meet a program's own.
include(GNUInstallDirs)
set(libnilo_below ${below})
list(REMOVE_ITEM libnilo_below nilo_element)
set(libnilo_object ${CMAKE_BINARY_DIR}/libnilo/nilo.o)
set(libnilo_archives "")
foreach(archive IN LISTS libnilo_below)
  list(APPEND libnilo_archives $<TARGET_FILE:${archive}>)
endforeach()
set(libnilo_relink "")
if(NILO_LTO)
  set(libnilo_relink -flinker-output=nolto-rel -O2)
endif()
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/libnilo)
add_custom_command(
  OUTPUT ${libnilo_object}
  COMMAND ${CMAKE_C_COMPILER} -r -nostdlib ${libnilo_relink} -o ${libnilo_object}.all
          -Wl,--whole-archive $<TARGET_FILE:nilo_element> $<TARGET_FILE:nilo_embed>
          -Wl,--no-whole-archive
          -Wl,--start-group ${libnilo_archives} -Wl,--end-group
  COMMAND ${CMAKE_OBJCOPY} --localize-hidden ${libnilo_object}.all ${libnilo_object}
  DEPENDS nilo_element nilo_embed ${libnilo_below}
  COMMENT "Linking libnilo into one object"
  COMMAND_EXPAND_LISTS VERBATIM)
add_custom_target(libnilo_object DEPENDS ${libnilo_object})
foreach(kind STATIC SHARED)
  string(TOLOWER libnilo_${kind} library)
  add_library(${library} ${kind} ${libnilo_object})
  add_dependencies(${library} libnilo_object)
  set_target_properties(${library} PROPERTIES OUTPUT_NAME nilo LINKER_LANGUAGE C
    INTERPROCEDURAL_OPTIMIZATION OFF)
endforeach()
set_source_files_properties(${libnilo_object} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
# The number of the interface: raised when a program that was linked before would not work any more.
set_target_properties(libnilo_shared PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION 0)
target_link_libraries(libnilo_shared PRIVATE PkgConfig::ZSTD PkgConfig::PCRE2 PkgConfig::DEFLATE
  Threads::Threads m)
target_link_options(libnilo_shared PRIVATE -Wl,-z,defs -Wl,--as-needed)
if(NILO_SANITIZE)
  target_link_options(libnilo_shared PRIVATE -fsanitize=${NILO_SANITIZE} -Wl,-z,undefs)
endif()
if(NILO_FUZZ) # the instrumentation's names come with the fuzz targets
  target_link_options(libnilo_shared PRIVATE -Wl,-z,undefs)
endif()
if(NILO_COVERAGE)
  target_link_options(libnilo_shared PRIVATE --coverage)
endif()

# The pkg-config file finds its prefix from where it lies: moved, or installed under DESTDIR, it holds.
file(RELATIVE_PATH libnilo_up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
file(WRITE ${CMAKE_BINARY_DIR}/libnilo/nilo.pc
"prefix=\${pcfiledir}/${libnilo_up}
libdir=\${prefix}/${CMAKE_INSTALL_LIBDIR}
includedir=\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}

Name: nilo
Description: A time-series database in a program: SQL, Arrow, and its ordered store alone
Version: ${PROJECT_VERSION}
Requires.private: libzstd libpcre2-8 libdeflate
Cflags: -I\${includedir}
Libs: -L\${libdir} -lnilo
Libs.private: -lm -lpthread
")
install(TARGETS libnilo_static libnilo_shared COMPONENT library
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES ${CMAKE_BINARY_DIR}/libnilo/nilo.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
  COMPONENT library)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/nilo DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  COMPONENT library FILES_MATCHING PATTERN "*.h")
install(FILES ${CMAKE_SOURCE_DIR}/docs/man/nilo.3 ${CMAKE_SOURCE_DIR}/docs/man/nilo-store.3 DESTINATION ${CMAKE_INSTALL_MANDIR}/man3
  COMPONENT library)
