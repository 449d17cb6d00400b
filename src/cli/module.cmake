# Line editing of the SQL shell: libedit (BSD). Without it the shell reads plain lines.
pkg_check_modules(EDIT QUIET IMPORTED_TARGET libedit)
if(EDIT_FOUND)
  target_link_libraries(nilo_cli PRIVATE PkgConfig::EDIT)
  target_compile_definitions(nilo_cli PRIVATE NILO_LIBEDIT=1)
else()
  message(STATUS "libedit was not found: the SQL shell edits no lines")
endif()
