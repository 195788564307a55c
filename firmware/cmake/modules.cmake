# Include roots. A module's headers are included as "MODULE/name.hpp". Each target gets a separate root in the build
# folder and exports only this root. Therefore the compiler finds only headers of modules that the target links.

# sealcam_include_root(TARGET PREFIX [FILES header...] [INTERFACE])
# Links the current source folder into the root of TARGET as PREFIX. With FILES, links only the named headers: for a folder with
# several modules, or for an interface that other targets use without the rest of the module.
function(sealcam_include_root target prefix)
  cmake_parse_arguments(arg "INTERFACE" "" "FILES" ${ARGN})
  set(root ${PROJECT_BINARY_DIR}/include/${target})
  # An older configuration may have linked the whole folder. Links to single files would then replace the headers in the source tree.
  if(arg_FILES AND IS_SYMLINK ${root}/${prefix})
    file(REMOVE ${root}/${prefix})
  elseif(NOT arg_FILES AND IS_DIRECTORY ${root}/${prefix} AND NOT IS_SYMLINK ${root}/${prefix})
    file(REMOVE_RECURSE ${root}/${prefix})
  endif()
  if(arg_FILES)
    foreach(file IN LISTS arg_FILES)
      cmake_path(GET file PARENT_PATH folder)
      file(MAKE_DIRECTORY ${root}/${prefix}/${folder})
      file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR}/${file} ${root}/${prefix}/${file} SYMBOLIC)
    endforeach()
  else()
    cmake_path(GET prefix PARENT_PATH folder)
    file(MAKE_DIRECTORY ${root}/${folder})
    file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR} ${root}/${prefix} SYMBOLIC)
  endif()
  if(arg_INTERFACE)
    target_include_directories(${target} INTERFACE ${root})
  else()
    target_include_directories(${target} PUBLIC ${root})
    sealcam_precompiled(${target})
  endif()
endfunction()
