// SPDX-License-Identifier: Apache-2.0
#include "hal/board/catalog.hpp"

#include <algorithm>
#include <cstdlib>
#include <ranges>
#include <set>

#include "base/format.hpp"
#include "base/result.hpp"

namespace sealcam::hal::board {

namespace fs = std::filesystem;

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
