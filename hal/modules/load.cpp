// SPDX-License-Identifier: Apache-2.0
#include "hal/modules/load.hpp"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace sealcam::hal::modules {

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> folders() {
  std::vector<fs::path> found;
  // secure_getenv: a program with raised privileges must not load what its caller names.
  if (const char* path = ::secure_getenv("SEALCAM_MODULE_PATH"); path != nullptr) {
    std::string_view rest = path;
    while (!rest.empty()) {
      const auto end = rest.find(':');
      // Relative folders would make the working directory matter.
      if (const fs::path folder = rest.substr(0, end); folder.is_absolute()) found.push_back(folder);
      rest = end == std::string_view::npos ? "" : rest.substr(end + 1);
    }
  }
  std::error_code ec;
  if (const fs::path program = fs::read_symlink("/proc/self/exe", ec); !ec) {
    found.push_back(program.parent_path());
    found.push_back((program.parent_path() / ".." / SEALCAM_LIBDIR / "sealcam").lexically_normal());
  }
  found.emplace_back(SEALCAM_FULL_LIBDIR "/sealcam");
  return found;
}

}  // namespace

Result<void*> load(const Wanted& wanted, Log& log) {
  std::string looked_in;
  for (const auto& folder : folders()) {
    const fs::path file = folder / wanted.file;
    looked_in += " " + folder.string();
    std::error_code ec;
    if (!fs::exists(file, ec)) continue;
    void* const module_handle = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (module_handle == nullptr) {
      log.error("{}: {} does not load: {}", wanted.purpose, file.string(), ::dlerror());
      return fail(Errc::unsupported, wanted.file);
    }
    void* const symbol = ::dlsym(module_handle, wanted.symbol);
    if (symbol == nullptr) {
      log.error("{}: {} is not Sealcam's {} module", wanted.purpose, file.string(), wanted.purpose);
      return fail(Errc::unsupported, wanted.file);
    }
    log.debug("{}: module {}", wanted.purpose, file.string());
    return symbol;
  }
  log.error("{}: {} is in none of:{}. Install it, or name its folder in SEALCAM_MODULE_PATH.", wanted.purpose,
            wanted.file, looked_in);
  return fail(Errc::not_found, wanted.file);
}

}  // namespace sealcam::hal::modules
