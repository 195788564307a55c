// SPDX-License-Identifier: Apache-2.0
#include "camera/owner_settings.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/file.hpp"
#include "base/format.hpp"

namespace sealcam::camera {

using Phase = hal::JoinProgress::Phase;
using hal::JoinFault;
using protocol::WifiFault;

/// If the process ends during this number of attempts, the network counts as failed.
static constexpr std::uint32_t max_interrupted = 3;

static constexpr std::array faults = {
    WifiFaultText{JoinFault::other, "other", WifiFault::other, "the camera could not join the network",
                  "see journalctl -u NetworkManager"},
    WifiFaultText{JoinFault::unmanaged, "unmanaged", WifiFault::cannot, "NetworkManager does not run on this board",
                  "install and start NetworkManager, or join the network by hand"},
    WifiFaultText{JoinFault::no_adapter, "no_adapter", WifiFault::cannot, "NetworkManager manages no Wi-Fi adapter",
                  "see nmcli device; if the adapter is 'unmanaged' there, another program controls it"},
    WifiFaultText{JoinFault::switched_off, "switched_off", WifiFault::cannot, "the Wi-Fi adapter is switched off",
                  "run rfkill unblock wifi; on a Raspberry Pi, set the Wi-Fi country first"},
    WifiFaultText{JoinFault::not_permitted, "not_permitted", WifiFault::cannot,
                  "NetworkManager does not allow the camera's user to change networks",
                  "copy 50-sealcam-camera.rules from board/common to /etc/polkit-1/rules.d"},
    WifiFaultText{JoinFault::not_found, "not_found", WifiFault::not_found, "the camera did not find the network",
                  "check its name and its range"},
    WifiFaultText{JoinFault::rejected, "rejected", WifiFault::rejected, "the network rejected the passphrase",
                  "send it again with sealcam camera wifi"},
    WifiFaultText{JoinFault::no_address, "no_address", WifiFault::no_address, "the network gave the camera no address",
                  "check the DHCP server of the router"},
    WifiFaultText{JoinFault::useless, "no_broker", WifiFault::no_broker,
                  "the camera could not reach the broker over the network",
                  "allow connections from the network to the broker, or name another network"},
};

const WifiFaultText& describe(JoinFault fault) noexcept {
  const auto* const it = std::ranges::find(faults, fault, &WifiFaultText::join);
  return it == faults.end() ? faults.front() : *it;
}

const WifiFaultText* fault_of(std::string_view outcome) noexcept {
  if (outcome.empty() || outcome == joined_outcome) return nullptr;
  const auto* const it = std::ranges::find(faults, outcome, &WifiFaultText::name);
  return it == faults.end() ? &faults.front() : &*it;
}

WifiController::WifiController(const Dependencies& deps, const WifiTimes& times)
    : deps_(deps), times_(times), alone_since_(deps.clock.monotonic()), alone_(times.alone) {}

void WifiController::load() {
  auto wifi = device::read_wifi_file(deps_.files, &outcome_);
  if (!wifi) {
    if (wifi.error().code != Errc::not_found) deps_.log.error("Wi-Fi: {}", to_string(wifi.error()));
    return;
  }
  wifi_ = std::move(*wifi);
  not_before_ = deps_.clock.monotonic() + times_.grace;
  if (outcome_.word.empty() && outcome_.interrupted >= max_interrupted) end(describe(JoinFault::other).name);
}

Result<> WifiController::join(const protocol::Wifi& wifi) {
  if (auto r = device::write_wifi_file(deps_.files, wifi); !r) return r;
  wifi_ = wifi.duplicate();
  outcome_ = {};
  alone_ = times_.alone;
  not_before_ = deps_.clock.monotonic() + times_.grace;
  if (trying_) {
    replaced_ = true;
    deps_.network.leave(JoinFault::other);
  }
  return {};
}

bool WifiController::tick(bool connected) {
  const auto* const before = fault();
  const MonotonicTime now = deps_.clock.monotonic();
  note_connection(connected, now);
  if (trying_) follow(now);
  else if (wifi_ && due(now)) begin(now);
  else retry(now);
  return fault() != before;
}

void WifiController::note_connection(bool connected, MonotonicTime now) {
  if (connected && !connected_since_) connected_since_ = now;
  if (!connected && connected_since_) {
    connected_since_.reset();
    alone_since_ = now;
  }
}

/// A network that failed is tried again only if the camera has no broker, so that nothing is lost.
bool WifiController::due(MonotonicTime now) const {
  if (outcome_.word == joined_outcome) return false;
  if (outcome_.word.empty()) return now >= not_before_;
  return !connected_since_ && now - alone_since_ >= alone_ && now >= not_before_;
}

void WifiController::begin(MonotonicTime now) {
  if (!outcome_.word.empty()) alone_ = std::min<std::chrono::nanoseconds>(alone_ * 2, times_.max_alone);
  if (outcome_.word.empty()) {
    ++outcome_.interrupted;
    store();
  }
  if (auto r = deps_.network.join(wifi_->ssid, wifi_->passphrase.reveal(), times_.limit); !r) {
    deps_.log.error("Wi-Fi: {}", to_string(r.error()));
    not_before_ = now + times_.alone;
    return end(describe(JoinFault::other).name);
  }
  deps_.log.info(
      "Wi-Fi: joining the owner's network; without the broker the camera returns to the earlier network after {} s",
      times_.limit.count());
  trying_ = true;
  begun_.reset();
  joined_.reset();
}

void WifiController::follow(MonotonicTime now) {
  const auto progress = deps_.network.step();
  if (progress.phase == Phase::looking) return;
  if (!begun_) begun_ = now;
  if (progress.phase == Phase::joined) {
    if (!joined_) {
      joined_ = progress.since;
      deps_.log.info("Wi-Fi: joined the owner's network, waiting for the broker");
    }
    if (proven(now)) return deps_.network.keep();
    if (now - *begun_ >= times_.prove) deps_.network.leave(JoinFault::useless);
    return;
  }
  if (progress.phase == Phase::joining) {
    joined_.reset();
    if (now - *begun_ >= times_.join) deps_.network.leave(JoinFault::none);
    return;
  }
  finish(progress, now);
}

void WifiController::finish(const hal::JoinProgress& progress, MonotonicTime now) {
  trying_ = false;
  not_before_ = now + times_.grace;
  alone_since_ = now;
  if (std::exchange(replaced_, false)) return;  // by a later join()
  if (progress.phase == Phase::kept) {
    deps_.log.info("Wi-Fi: reached the broker over the owner's network; the camera keeps it");
    return end(joined_outcome);
  }
  const auto& fault = describe(progress.fault);
  const auto detail = progress.detail.empty() ? "" : " (" + progress.detail + ")";
  deps_.log.warning("Wi-Fi: {}{}; the camera stays in the earlier network", fault.what, detail);
  end(fault.name);
}

/// Also for networks that the owner did not name, because the network manager can regard each of them as unusable.
void WifiController::retry(MonotonicTime now) {
  (void)deps_.network.step();  // of the earlier call
  if (connected_since_ || now - std::max(alone_since_, retried_) < times_.retry) return;
  retried_ = now;
  deps_.network.retry();
}

/// A connection to the broker that started in the network proves it at once. An older one proves it later: it can
/// survive the change of the network, for example over a cable.
bool WifiController::proven(MonotonicTime now) const {
  if (!connected_since_ || !joined_) return false;
  return *connected_since_ >= *joined_ || now - *joined_ >= times_.settled;
}

void WifiController::end(std::string_view outcome) {
  outcome_ = {std::string(outcome), 0};
  store();
}

void WifiController::store() {
  if (auto r = device::write_wifi_file(deps_.files, *wifi_, outcome_); !r)
    deps_.log.error("Wi-Fi: cannot store the outcome: {}", to_string(r.error()));
}

std::string_view WifiController::state() const noexcept {
  if (!wifi_) return "none";
  if (trying_) return "trying";
  return outcome_.word.empty() ? "waiting" : std::string_view(outcome_.word);
}

using protocol::CameraSettings;

static std::optional<std::uint32_t> read_number(ConfigReader& reader, std::string_view pointer, std::uint32_t max) {
  if (!reader.has(pointer)) return std::nullopt;
  return static_cast<std::uint32_t>(reader.integer(pointer, 0, 1, max));
}

/// Nothing if the file has no such list.
static std::optional<PictureAreas> read_areas(ConfigReader& reader, std::string_view pointer) {
  if (!reader.has(pointer)) return std::nullopt;
  PictureAreas areas;
  for (const auto& text : reader.texts(pointer)) {
    const auto area = parse_picture_area(text);
    if (!area) reader.reject(pointer, area.error().what);
    else areas.push_back(*area);
  }
  if (areas.size() > max_picture_areas) reader.reject(pointer, "has at most 8 areas");
  return areas;
}

static std::string as_json(const PictureAreas& areas) {
  std::string text;
  for (const auto& area : areas) text += sealcam::format("{}\"{}\"", text.empty() ? "" : ", ", to_string(area));
  return "[" + text + "]";
}

std::expected<CameraSettings, std::string> read_settings(const std::filesystem::path& file) {
  ConfigReader reader = ConfigReader::from_file(file, true);
  CameraSettings settings;
  std::error_code ec;
  if (std::filesystem::exists(file, ec) && reader.integer("/version", 0, 0, INT64_MAX) != 1)
    reader.reject("/version", "must be 1");
  if (const auto bitrate = read_number(reader, "/bitrate", UINT32_MAX)) settings.bitrate = BitsPerSecond(*bitrate);
  const auto width = read_number(reader, "/width", 65'535);
  const auto height = read_number(reader, "/height", 65'535);
  if (width.has_value() != height.has_value()) reader.reject("/width", "needs a height, too");
  if (width && height) settings.size = {*width, *height};
  settings.frames_per_second = read_number(reader, "/rate", 1000);
  settings.masks = read_areas(reader, "/masks");
  if (reader.has("/motion"))
    settings.motion = static_cast<std::uint32_t>(reader.integer("/motion", 0, 0, CameraSettings::max_motion));
  settings.zones = read_areas(reader, "/zones");
  if (const auto why = reader.finish())
    return std::unexpected(sealcam::format(
        "{}: {}; delete the file and repeat the settings with sealcam camera settings", file.string(), *why));
  return settings;
}

Result<> write_settings(const std::filesystem::path& file, const CameraSettings& settings) {
  std::string text = "{\"version\": 1";
  if (settings.bitrate) text += sealcam::format(", \"bitrate\": {}", settings.bitrate->value());
  if (settings.size)
    text += sealcam::format(", \"width\": {}, \"height\": {}", settings.size->width, settings.size->height);
  if (settings.frames_per_second) text += sealcam::format(", \"rate\": {}", *settings.frames_per_second);
  if (settings.masks) text += sealcam::format(", \"masks\": {}", as_json(*settings.masks));
  if (settings.motion) text += sealcam::format(", \"motion\": {}", *settings.motion);
  if (settings.zones) text += sealcam::format(", \"zones\": {}", as_json(*settings.zones));
  text += "}\n";
  return write_file_durably(file, as_bytes(text));
}

CameraConfig with_settings(CameraConfig config, const CameraSettings& settings, Log& log) {
  if (const auto bitrate = settings.bitrate) {
    if (*bitrate >= hal::min_bitrate && *bitrate <= hal::max_bitrate) {
      config.encoder.bitrate = *bitrate;
      config.min_bitrate = std::min(config.min_bitrate, *bitrate);
    } else {
      log.warning("the camera ignores the owner's bitrate of {} bit/s; valid are {} to {}", bitrate->value(),
                  hal::min_bitrate.value(), hal::max_bitrate.value());
    }
  }
  if (const auto size = settings.size) {
    const hal::Size pixels{static_cast<int>(size->width), static_cast<int>(size->height)};
    if (hal::is_valid(pixels)) config.source.size = pixels;
    else
      log.warning("the camera ignores the owner's picture size of {}x{}; valid are {}", size->width, size->height,
                  hal::size_rule);
  }
  if (const auto rate = settings.frames_per_second) {
    if (*rate <= 120) config.source.rate = *rate;
    else log.warning("the camera ignores the owner's rate of {} pictures per second; valid are 1 to 120", *rate);
  }
  config.areas = {.masks = FewAreas(settings.masks.value_or(PictureAreas())),
                  .sensitivity = settings.motion.value_or(CameraSettings::usual_motion),
                  .zones = FewAreas(settings.zones.value_or(PictureAreas()))};
  return config;
}

stream::Quality best_quality(const CameraConfig& config) {
  return {config.encoder.bitrate, static_cast<std::uint16_t>(config.encoder.keyframe_interval), 0};
}

Result<> StateActions::do_rename(std::string_view name) {
  if (enrollment_.name == name) return {};
  device::Enrollment renamed = enrollment_;
  renamed.name = name;
  if (auto r = device::write_enrollment(deps_.files, renamed); !r) return r;
  enrollment_ = std::move(renamed);
  return {};
}

Result<stream::Quality> StateActions::do_change(const CameraSettings& settings) {
  CameraConfig changed = with_settings(deps_.configured, settings, deps_.log);
  // Masks do not wait for the disk. The command stays pending, so that the next start paints them, too.
  const bool at_once = !changed.areas.masks.empty();
  if (at_once) apply(changed);
  if (auto r = write_settings(deps_.files.settings(), settings); !r) return std::unexpected(r.error());
  if (!at_once) apply(changed);
  return best_quality(effective_);
}

void StateActions::apply(const CameraConfig& changed) {
  // Without masks, the sensor may encode again.
  const bool masks = changed.areas.masks.empty() != effective_.areas.masks.empty();
  const bool reopen =
      masks || changed.source.size != effective_.source.size || changed.source.rate != effective_.source.rate;
  effective_ = changed;
  deps_.capture.configure(effective_);
  if (reopen) deps_.control.request_reopen();
  deps_.control.set_areas(effective_.areas);  // last, so that the capture thread already knows that it must reopen
}

Result<> StateActions::do_join(const protocol::Wifi& wifi) { return deps_.wifi.join(wifi); }

Result<> StateActions::do_decide_update(const protocol::CommandItem<protocol::UpdateConsent>& consent) {
  return store_consent(deps_.files.update_consent(), deps_.update_file, consent);
}

}  // namespace sealcam::camera
