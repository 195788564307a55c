# Runs as a script. Writes OUT, the C++ source of routes.hpp, with the bytes of FILES (names relative to DIR).
set(bodies "")
set(table "")
foreach(file ${FILES})
  file(READ ${DIR}/${file} bytes HEX)
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
