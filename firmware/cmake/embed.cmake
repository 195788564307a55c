# Runs as a script. Writes OUT, the C++ source of routes.hpp, with the bytes of FILES (paths). A browser gets each file by its
# name without the folder, so no two files may have the same name.
set(bodies "")
set(table "")
set(files "")
foreach(path ${FILES})
  get_filename_component(file ${path} NAME)
  list(FIND files ${file} found)
  if(NOT found EQUAL -1)
    message(FATAL_ERROR "two files have the name ${file}")
  endif()
  list(APPEND files ${file})
  file(READ ${path} bytes HEX)
  string(REGEX REPLACE "(..)" "'\\\\x\\1'," bytes "${bytes}")
  string(REGEX REPLACE "[^a-zA-Z0-9]" "_" name ${file})
  string(APPEND bodies "constexpr char ${name}[] = {${bytes}};\n")
  string(APPEND table "    {\"${file}\", {${name}, sizeof ${name}}},\n")
endforeach()
file(WRITE ${OUT} "#include \"${HEADER}\"

namespace ${NAMESPACE} {
namespace {
${bodies}
constexpr PageFile files[] = {
${table}};
}  // namespace
std::span<const PageFile> page_files() noexcept { return files; }
}  // namespace ${NAMESPACE}
")
