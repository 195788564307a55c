// SPDX-License-Identifier: Apache-2.0
#include "hal/board/board_data.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <ranges>
#include <set>

#include "base/file.hpp"
#include "base/format.hpp"
#include "base/result.hpp"
#include "hal/backends.hpp"

namespace sealcam::hal::board {

namespace {

constexpr std::int64_t format_version = 1;
constexpr int max_encoder_side = 16'384;
constexpr std::int64_t max_encoder_bitrate = 1'000'000'000;

/// A place in the document. All values are required, except in optional_text().
class Place {
 public:
  Place(ConfigReader& reader, std::string at) : reader_(reader), at_(std::move(at)) {}

  [[nodiscard]] Place operator[](std::string_view key) const { return {reader_, sealcam::format("{}/{}", at_, key)}; }
  [[nodiscard]] Place operator[](std::size_t index) const { return {reader_, sealcam::format("{}/{}", at_, index)}; }
  [[nodiscard]] bool there() const { return reader_.has(at_); }
  void reject(std::string_view why) const { reader_.reject(at_, why); }

  [[nodiscard]] std::string text() const {
    std::string value = reader_.required_text(at_);
    if (value.empty()) reject("must not be empty");
    return value;
  }
  [[nodiscard]] std::optional<std::string> optional_text() const {
    if (!there()) return std::nullopt;
    return text();
  }
  [[nodiscard]] std::filesystem::path path() const {
    std::string value = text();
    if (!value.starts_with('/')) reject("must be an absolute path");
    return value;
  }
  [[nodiscard]] int integer(std::int64_t min, std::int64_t max) const {
    if (!there()) reject("is missing");
    return static_cast<int>(reader_.integer(at_, min, min, max));
  }
  [[nodiscard]] bool boolean() const {
    if (!there()) reject("is missing");
    return reader_.boolean(at_, false);
  }
  [[nodiscard]] std::vector<std::string> texts() const {
    if (!there()) reject("is missing");
    auto values = reader_.texts(at_);
    if (std::ranges::contains(values, "")) reject("must not have empty texts");
    return values;
  }
  /// The number of elements of a list that must not be empty.
  [[nodiscard]] std::size_t size() const {
    if (!there()) reject("is missing");
    const auto count = reader_.size(at_);
    if (count == 0) reject("must be a list with at least one element");
    return count;
  }
  template <class T>
  [[nodiscard]] Part<T> part(T (*read)(const Place&)) const {
    if ((*this)["absent"].there()) return std::unexpected(Absent{(*this)["absent"].text()});
    return read(*this);
  }

 private:
  ConfigReader& reader_;
  std::string at_;
};

Kernel read_kernel(const Place& at) {
  return {.name = at["name"].text(), .release = at["release"].text(), .tested = at["tested"].optional_text()};
}

Sensor read_sensor(const Place& at) {
  Sensor sensor{.name = at["name"].text(),
                .backend = at["backend"].text(),
                .node = at["node"].optional_text().value_or(""),
                .driver = at["driver"].optional_text().value_or(""),
                .encodes = at["encodes"].boolean(),
                .kernel = at["kernel"].optional_text(),
                .setup = at["setup"].text()};
  if (!std::ranges::contains(sensor_backends, sensor.backend)) {
    std::string why = "must be one of";
    for (const auto name : sensor_backends) why.append(" ").append(name);
    at["backend"].reject(why);
  }
  if (sensor.node.empty() == sensor.driver.empty()) at.reject("must have 'node' or 'driver', but not both");
  return sensor;
}

Encoder read_encoder(const Place& at) {
  const auto bitrate = [&](std::string_view key) {
    return BitsPerSecond(static_cast<std::uint32_t>(at[key].integer(1, max_encoder_bitrate)));
  };
  return {.device = at["device"].path(),
          .codec = at["codec"].text(),
          .kernel = at["kernel"].optional_text(),
          .min_side = at["min_side"].integer(1, max_encoder_side),
          .max_side = at["max_side"].integer(1, max_encoder_side),
          .min_bitrate = bitrate("min_bitrate"),
          .max_bitrate = bitrate("max_bitrate"),
          .b_frames = at["b_frames"].boolean(),
          .repeats_headers = at["repeats_headers"].boolean(),
          .buffer_kib_above_720p = at["buffer_kib_above_720p"].integer(1, 65'536)};
}

Led read_led(const Place& at) { return {.path = at["path"].path()}; }

Button read_button(const Place& at) {
  return {.chip = at["chip"].path(), .line = at["line"].integer(0, 1023), .active_low = at["active_low"].boolean()};
}

Watchdog read_watchdog(const Place& at) { return {.device = at["device"].path(), .module = at["module"].text()}; }

Temperature read_temperature(const Place& at) {
  return {.path = at["path"].path(), .limit = at["limit"].integer(30, 125)};
}

Serial read_serial(const Place& at) { return {.path = at["path"].path()}; }

/// Checks the rules that a schema cannot express: the order of limits, and references to kernels.
void check(const Place& at, const Model& model) {
  const auto known = [&](const std::optional<std::string>& kernel) {
    return !kernel || std::ranges::contains(model.kernels, *kernel, &Kernel::name);
  };
  for (std::size_t i = 0; i < model.sensors.size(); ++i)
    if (!known(model.sensors[i].kernel)) at["sensors"][i]["kernel"].reject("is not the name of one of the kernels");
  if (!model.encoder) return;
  if (!known(model.encoder->kernel)) at["encoder"]["kernel"].reject("is not the name of one of the kernels");
  if (model.encoder->min_side > model.encoder->max_side) at["encoder"]["min_side"].reject("must not be above max_side");
  if (model.encoder->min_bitrate > model.encoder->max_bitrate)
    at["encoder"]["min_bitrate"].reject("must not be above max_bitrate");
}

Model read_model(const Place& at) {
  Model model{.name = at["name"].text(),
              .compatible = at["compatible"].texts(),
              .kernels = {},
              .sensors = {},
              .other_nodes = at["other_nodes"].texts(),
              .encoder = at["encoder"].part(&read_encoder),
              .led = at["led"].part(&read_led),
              .button = at["button"].part(&read_button),
              .watchdog = at["watchdog"].part(&read_watchdog),
              .temperature = at["temperature"].part(&read_temperature),
              .serial = at["serial"].part(&read_serial),
              .picture = {at["picture"]["width"].integer(min_side, max_side),
                          at["picture"]["height"].integer(min_side, max_side)},
              .rate = at["picture"]["rate"].integer(1, 120)};
  const Place kernels = at["kernels"], sensors = at["sensors"];
  for (std::size_t i = 0, n = kernels.size(); i < n; ++i) model.kernels.push_back(read_kernel(kernels[i]));
  for (std::size_t i = 0, n = sensors.size(); i < n; ++i) model.sensors.push_back(read_sensor(sensors[i]));
  check(at, model);
  return model;
}

}  // namespace

const Kernel* Model::kernel_of(std::string_view release) const noexcept {
  const auto found = std::ranges::find_if(kernels, [&](const Kernel& k) { return release.contains(k.release); });
  return found == kernels.end() ? nullptr : &*found;
}

std::expected<std::vector<Model>, std::string> read_models(ConfigReader reader) {
  const Place root(reader, "");
  if (reader.integer("/version", 0, INT64_MIN, INT64_MAX) != format_version)
    root["version"].reject("must be 1, the version that this program reads");
  std::vector<Model> models;
  const Place list = root["models"];
  for (std::size_t i = 0, n = list.size(); i < n; ++i) models.push_back(read_model(list[i]));
  if (auto why = reader.finish()) return std::unexpected(std::move(*why));
  return models;
}

namespace fs = std::filesystem;

SystemView::SystemView(fs::path root, Permitted permitted)
    : root_(std::move(root)), permitted_(permitted ? std::move(permitted) : [](const fs::path& real, int mode) {
        return ::access(real.c_str(), mode) == 0;
      }) {}

bool SystemView::exists(const fs::path& path) const {
  std::error_code ec;
  return fs::exists(real(path), ec);
}

std::optional<std::string> SystemView::read(const fs::path& path) const {
  // Reads once, because files of the kernel have no size and some return data only for the first read.
  const UniqueFd file(::open(real(path).c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!file) return std::nullopt;
  std::array<char, 4096> buffer;
  ssize_t n = -1;
  do n = ::read(file.get(), buffer.data(), buffer.size());
  while (n < 0 && errno == EINTR);
  if (n < 0) return std::nullopt;
  std::string text(buffer.data(), static_cast<std::size_t>(n));
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ' || text.back() == '\0')) text.pop_back();
  return text;
}

std::vector<std::string> SystemView::list(const fs::path& folder) const {
  std::vector<std::string> names;
  std::error_code ec;
  for (fs::directory_iterator i(real(folder), ec), end; !ec && i != end; i.increment(ec))
    names.push_back(i->path().filename().string());
  // Puts video2 before video10.
  std::ranges::sort(names,
                    [](const auto& a, const auto& b) { return a.size() != b.size() ? a.size() < b.size() : a < b; });
  return names;
}

std::string SystemView::link_name(const fs::path& link) const {
  std::error_code ec;
  return fs::read_symlink(real(link), ec).filename().string();
}

static std::optional<std::string> find_conflict(const std::vector<Model>& models) {
  std::set<std::string_view> seen;
  for (const Model& model : models)
    for (const auto& word : model.compatible)
      if (!seen.insert(word).second) return sealcam::format("two models are compatible with {}", word);
  const auto fallbacks = std::ranges::count_if(models, [](const Model& m) { return m.compatible.empty(); });
  if (fallbacks != 1) return sealcam::format("{} models for unknown boards, must be 1", fallbacks);
  return std::nullopt;
}

std::expected<std::vector<Model>, std::string> read_catalog(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code ec;
  for (fs::directory_iterator i(folder, ec), end; !ec && i != end; i.increment(ec))
    if (fs::path file = i->path() / "board.json"; fs::exists(file)) files.push_back(std::move(file));
  std::ranges::sort(files);
  std::vector<Model> all;
  for (const auto& file : files) {
    auto models = read_models(ConfigReader::from_file(file, false));
    if (!models) return std::unexpected(std::move(models.error()));
    std::ranges::move(*models, std::back_inserter(all));
  }
  if (const auto conflict = find_conflict(all))
    return std::unexpected(sealcam::format("{}: {}", folder.string(), *conflict));
  return all;
}

std::expected<fs::path, std::string> find_catalog() {
  std::vector<fs::path> places;
  std::error_code ec;
  // secure_getenv, because a set-user-ID program must not read files that its caller names.
  if (const char* named = ::secure_getenv("SEALCAM_BOARDS"); named != nullptr) {
    // There is no fallback, because it would hide a mistyped name.
    if (fs::path folder = named; folder.is_absolute() && fs::is_directory(folder, ec)) return folder;
    return std::unexpected(sealcam::format("SEALCAM_BOARDS={} is not an absolute path of a folder", named));
  }
  if (const fs::path program = fs::read_symlink("/proc/self/exe", ec); !ec) {
    const fs::path build = program.parent_path().parent_path();
    if (fs::exists(build / "CMakeCache.txt", ec)) places.push_back((build / "../../board").lexically_normal());
    // A package with one program has a copy of the data under the program's name, because two packages must not own one
    // file.
    places.push_back((build / SEALCAM_DATADIR / program.filename() / "boards").lexically_normal());
    places.push_back((build / SEALCAM_DATADIR "/sealcam/boards").lexically_normal());
  }
  places.emplace_back(SEALCAM_FULL_DATADIR "/sealcam/boards");
  std::string looked;
  for (const auto& place : places) {
    if (fs::is_directory(place, ec)) return place;
    looked.append(" ").append(place.string());
  }
  return std::unexpected("no board data in any of:" + looked);
}

Identity identify(const SystemView& system) {
  Identity identity;
  if (const auto names = system.read("/proc/device-tree/compatible"))
    for (const auto name : std::views::split(*names, '\0')) {
      if (!name.empty()) identity.compatible.emplace_back(std::string_view(name));
    }
  identity.model = system.read("/proc/device-tree/model").value_or("");
  identity.kernel = system.read("/proc/sys/kernel/osrelease").value_or("");
  return identity;
}

const Model& choose(const std::vector<Model>& catalog, const Identity& identity) {
  for (const auto& word : identity.compatible) {
    const auto found =
        std::ranges::find_if(catalog, [&](const Model& m) { return std::ranges::contains(m.compatible, word); });
    if (found != catalog.end()) return *found;
  }
  return fallback(catalog);
}

const Model& fallback(const std::vector<Model>& catalog) {
  const auto unknown = std::ranges::find_if(catalog, [](const Model& m) { return m.compatible.empty(); });
  SC_ASSERT(unknown != catalog.end());
  return *unknown;
}

std::expected<Model, std::string> this_model(const SystemView& system) {
  const auto folder = find_catalog();
  const auto catalog = folder ? read_catalog(*folder) : std::unexpected(folder.error());
  if (!catalog) return std::unexpected(catalog.error());
  return choose(*catalog, identify(system));
}

std::optional<std::string> serial_number(const SystemView& system, Log& log) {
  const auto model = this_model(system);
  if (!model) {
    log.warning("cannot read the board's serial number, so that a copied SD card is not detected: {}", model.error());
    return std::nullopt;
  }
  if (!model->serial) {
    log.info("no serial number: {}", model->serial.error().why);
    return "";
  }
  auto serial = system.read(model->serial->path).value_or("");
  if (serial.empty())
    log.info("no serial number: {} is missing, so that a copied SD card is not detected", model->serial->path.string());
  return serial;
}

}  // namespace sealcam::hal::board
