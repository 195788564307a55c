// SPDX-License-Identifier: Apache-2.0
#include "hal/replay/load.hpp"

#include <dlfcn.h>

#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace sealcam::hal::replay {

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> module_folders() {
  std::vector<fs::path> folders;
  // secure_getenv: a program with raised privileges must not load what its caller names.
  if (const char* path = ::secure_getenv("SEALCAM_MODULE_PATH"); path != nullptr) {
    std::string_view rest = path;
    while (!rest.empty()) {
      const auto end = rest.find(':');
      // Relative folders would make the working directory matter.
      if (const fs::path folder = rest.substr(0, end); folder.is_absolute()) folders.push_back(folder);
      rest = end == std::string_view::npos ? "" : rest.substr(end + 1);
    }
  }
  std::error_code ec;
  if (const fs::path program = fs::read_symlink("/proc/self/exe", ec); !ec) {
    folders.push_back(program.parent_path());
    folders.push_back((program.parent_path() / ".." / SEALCAM_LIBDIR / "sealcam").lexically_normal());
  }
  folders.emplace_back(SEALCAM_FULL_LIBDIR "/sealcam");
  return folders;
}

Result<OpenFunction*> load(Log& log) {
  std::string looked_in;
  for (const auto& folder : module_folders()) {
    const fs::path file = folder / module_file;
    looked_in += " " + folder.string();
    std::error_code ec;
    if (!fs::exists(file, ec)) continue;
    // NODELETE: sources, error texts and FFmpeg's own threads and tables live in it.
    void* const module = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (module == nullptr) {
      log.error("replay: {} does not load: {}", file.string(), ::dlerror());
      return fail(Errc::unsupported, "loading the replay module");
    }
    void* const symbol = ::dlsym(module, open_symbol);
    if (symbol == nullptr) {
      log.error("replay: {} is not Sealcam's replay module", file.string());
      return fail(Errc::unsupported, "loading the replay module");
    }
    log.debug("replay: module {}", file.string());
    return reinterpret_cast<OpenFunction*>(symbol);
  }
  log.error("replay: {} is in none of:{}. Install it, or name its folder in SEALCAM_MODULE_PATH.", module_file,
            looked_in);
  return fail(Errc::not_found, "the replay module sealcam-replay.so");
}

}  // namespace

Result<std::unique_ptr<FrameSource>> open_replay(const ReplayConfig& config, const Clock& clock, Log& log) {
  const auto open = load(log);
  if (!open) return std::unexpected(open.error());
  ModuleCall call;
  call.version = SEALCAM_VERSION;
  call.config = &config;
  call.clock = &clock;
  call.log = &log;
  std::unique_ptr<FrameSource> source((*open)(&call));
  if (!source) return std::unexpected(call.error);
  return source;
}

}  // namespace sealcam::hal::replay
