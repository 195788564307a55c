// SPDX-License-Identifier: Apache-2.0
#include "hal/media/load.hpp"

#include "hal/media/door.hpp"
#include "hal/modules/load.hpp"

namespace sealcam::hal::media {

namespace {

Result<std::unique_ptr<Media>> load(Log& log) {
  const auto symbol = modules::load({.file = module_file, .symbol = open_symbol, .purpose = "media"}, log);
  if (!symbol) return std::unexpected(symbol.error());
  auto* const open = reinterpret_cast<OpenFunction*>(*symbol);
  ModuleCall call;
  call.version = SEALCAM_VERSION;
  std::unique_ptr<Media> media(open(&call));
  if (media) return media;
  log.error("media: {}", to_string(call.error));
  return std::unexpected(call.error);
}

}  // namespace

Result<Media*> ModuleMedia::module_media() {
  if (!loaded_) loaded_ = load(log_);
  if (!*loaded_) return std::unexpected(loaded_->error());
  return loaded_->value().get();
}

Result<std::unique_ptr<StreamMuxer>> ModuleMedia::do_open_muxer() {
  const auto media = module_media();
  if (!media) return std::unexpected(media.error());
  return (*media)->open_muxer();
}

Result<std::unique_ptr<StillMaker>> ModuleMedia::do_open_still_maker() {
  const auto media = module_media();
  if (!media) return std::unexpected(media.error());
  return (*media)->open_still_maker();
}

}  // namespace sealcam::hal::media
