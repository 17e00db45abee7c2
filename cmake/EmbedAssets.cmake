# Puts files into the binary: one generated .cpp that defines repartee::embedded_assets().
# The raw bytes become a hex array, so that no quoting rule of C++ touches them.
function(repartee_embed_assets OUT)
  set(generated ${CMAKE_CURRENT_BINARY_DIR}/embedded_assets.cpp)
  file(GLOB_RECURSE files CONFIGURE_DEPENDS ${ARGN})
  list(SORT files)
  add_custom_command(
    OUTPUT ${generated}
    COMMAND ${CMAKE_COMMAND} -DOUTPUT=${generated} "-DFILES=${files}" -DROOT=${CMAKE_SOURCE_DIR}/assets
            -P ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
    DEPENDS ${files} ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
    VERBATIM)
  set(${OUT} ${generated} PARENT_SCOPE)
endfunction()
