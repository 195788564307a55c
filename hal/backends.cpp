// SPDX-License-Identifier: Apache-2.0
#include "hal/backends.hpp"

#include <algorithm>
#include <array>

#include "hal/fake/fake_source.hpp"
#include "hal/modules/modules.hpp"

namespace sealcam::hal {

namespace {

using Source = Result<std::unique_ptr<FrameSource>>;

Source open_v4l2(const SourceConfig& config, const Dependencies& deps) {
  const auto v4l2 = v4l2_config(config, deps);
  auto source = v4l2::V4l2Source::find(v4l2, deps.log, deps.open_device).and_then([&](v4l2::OpenSensor sensor) {
    return v4l2::V4l2Source::open(std::move(sensor), v4l2, deps.clock, deps.log);
  });
  if (!source) return std::unexpected(source.error());
  return std::move(*source);
}

void list_v4l2(const Dependencies& deps, SensorList& list) {
  list.v4l2 = v4l2::survey(v4l2::nodes(deps.devices), deps.open_device);
}

Source open_libcamera(const SourceConfig& config, const Dependencies& deps) {
  return deps.libcamera.open({.camera = config.device,
                              .size = config.size,
                              .rate = config.rate,
                              .format = config.format,
                              .controls = config.controls,
                              .unusable = config.unusable},
                             deps.clock, deps.log);
}

void list_libcamera(const Dependencies& deps, SensorList& list) {
  // The log has the reason if libcamera is missing.
  list.libcamera = deps.libcamera.list(deps.log).value_or(std::vector<libcamera::CameraEntry>());
}

Source open_replay(const SourceConfig& config, const Dependencies& deps) {
  return modules::open_replay({.file = config.file,
                               .size = config.size,
                               .rate = config.rate,
                               .loop = config.loop,
                               .realtime = config.realtime,
                               .stop = deps.stop},
                              deps.clock, deps.log);
}

Source open_fake(const SourceConfig& config, const Dependencies& deps) {
  auto source = fake::FakeSource::open({.size = config.size,
                                        .rate = config.rate == 0 ? 30 : config.rate,
                                        .camera = config.number,
                                        .realtime = config.realtime},
                                       deps.clock);
  if (!source) return std::unexpected(source.error());
  return std::move(*source);
}

constexpr std::array table = {
    Backend{.name = sensor_backends[0],
            .open = open_v4l2,
            .list = list_v4l2,
            .is_hardware = true,
            .kind = SourceKind::node},
    Backend{.name = sensor_backends[1],
            .open = open_libcamera,
            .list = list_libcamera,
            .is_hardware = true,
            .kind = SourceKind::camera},
    Backend{.name = "fake", .open = open_fake, .list = nullptr, .is_hardware = false, .kind = SourceKind::drawn},
    Backend{.name = "replay", .open = open_replay, .list = nullptr, .is_hardware = false, .kind = SourceKind::file},
};

}  // namespace

std::span<const Backend> backends() noexcept { return table; }

const Backend* find_backend(std::string_view name) noexcept {
  const auto* const found = std::ranges::find(table, name, &Backend::name);
  return found == table.end() ? nullptr : found;
}

const Backend& find_backend(SourceKind kind) noexcept {
  const auto* const found = std::ranges::find(table, kind, &Backend::kind);
  SC_ASSERT(found != table.end());
  return *found;
}

v4l2::V4l2Config v4l2_config(const SourceConfig& config, const Dependencies& deps) {
  return {.device = config.device,
          .folder = deps.devices,
          .size = config.size,
          .rate = config.rate,
          .format = config.format,
          .controls = config.controls,
          .unusable = config.unusable,
          .encoded = config.encoded};
}

}  // namespace sealcam::hal
