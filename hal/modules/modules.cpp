// SPDX-License-Identifier: Apache-2.0
#include "hal/modules/modules.hpp"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <vector>

#include "base/format.hpp"

namespace sealcam::hal::modules {

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> folders() {
  std::vector<fs::path> found;
  // secure_getenv, because a set-user-ID program must not load files that its caller names.
  if (const char* path = ::secure_getenv("SEALCAM_MODULE_PATH"); path != nullptr) {
    std::string_view rest = path;
    while (!rest.empty()) {
      const auto end = rest.find(':');
      // A relative folder would depend on the working directory.
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

/// `name`: a literal.
Result<void*> find_symbol(const char* name, Log& log) {
  const std::string file_name = sealcam::format("sealcam-{}.so", name);
  std::string searched;
  for (const auto& folder : folders()) {
    const fs::path file = folder / file_name;
    searched += " " + folder.string();
    std::error_code ec;
    if (!fs::exists(file, ec)) continue;
    void* const handle = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (handle == nullptr) {
      log.error("{}: {} does not load: {}", name, file.string(), ::dlerror());
      return fail(Errc::unsupported, name);
    }
    void* const symbol = ::dlsym(handle, sealcam::format("sealcam_{}_open", name).c_str());
    if (symbol == nullptr) {
      log.error("{}: {} is not Sealcam's {} module; remove it, or install the module again", name, file.string(), name);
      return fail(Errc::unsupported, name);
    }
    log.debug("{}: loaded {}", name, file.string());
    return symbol;
  }
  log.error("{}: {} is in none of:{}. Install it, or add its folder to SEALCAM_MODULE_PATH.", name, file_name,
            searched);
  return fail(Errc::not_found, name);
}

template <class Interface>
Result<std::unique_ptr<Interface>> load(const char* name, Log& log) {
  const auto symbol = find_symbol(name, log);
  if (!symbol) return std::unexpected(symbol.error());
  auto* const open = reinterpret_cast<OpenFunction<Interface>*>(*symbol);
  ModuleCall call{.version = SEALCAM_VERSION};
  std::unique_ptr<Interface> object(open(&call));
  if (object) return object;
  log.error("{}: {}", name, to_string(call.error));
  return std::unexpected(call.error);
}

struct LastLine final : Log {
  void write(LogLevel, std::string_view text) override { line = text; }
  std::string line;
};

}  // namespace

Result<libcamera::LibcameraBackend*> LibcameraModule::backend(Log& log) {
  if (!backend_) {
    auto backend = load<libcamera::LibcameraBackend>("libcamera", log);
    if (!backend) return std::unexpected(backend.error());
    backend_ = std::move(*backend);
  }
  return backend_.get();
}

Result<std::unique_ptr<FrameSource>> LibcameraModule::do_open(const libcamera::LibcameraConfig& config,
                                                              const Clock& clock, Log& log) {
  return backend(log).and_then([&](auto* loaded) { return loaded->open(config, clock, log); });
}

Result<std::vector<libcamera::CameraEntry>> LibcameraModule::do_list(Log& log) {
  return backend(log).and_then([&](auto* loaded) { return loaded->list(log); });
}

std::string libcamera_problem() {
  LastLine log;
  return load<libcamera::LibcameraBackend>("libcamera", log) ? std::string() : log.line;
}

Result<Media*> MediaModule::media() {
  if (!loaded_) loaded_ = load<Media>("media", log_);
  if (!*loaded_) return std::unexpected(loaded_->error());
  return loaded_->value().get();
}

Result<std::unique_ptr<StreamMuxer>> MediaModule::do_open_muxer() {
  return media().and_then([](Media* loaded) { return loaded->open_muxer(); });
}

Result<std::unique_ptr<Mp4Muxer>> MediaModule::do_open_mp4_muxer(Size size) {
  return media().and_then([&](Media* loaded) { return loaded->open_mp4_muxer(size); });
}

Result<std::unique_ptr<StillBuilder>> MediaModule::do_open_still_builder() {
  return media().and_then([](Media* loaded) { return loaded->open_still_builder(); });
}

Result<std::unique_ptr<FrameSource>> open_replay(const replay::ReplayConfig& config, const Clock& clock, Log& log) {
  const auto module_backend = load<replay::ReplayBackend>("replay", log);
  if (!module_backend) return std::unexpected(module_backend.error());
  return (*module_backend)->open(config, clock, log);
}

}  // namespace sealcam::hal::modules
