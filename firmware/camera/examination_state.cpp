// SPDX-License-Identifier: Apache-2.0
/// The state folder: whose it is, what is in it, and whether the camera belongs to somebody.
#include <sys/stat.h>
#include <unistd.h>

#include "camera/examination.hpp"
#include "camera/wifi_outcome.hpp"
#include "pairing/device_state.hpp"
#include "pairing/wifi_file.hpp"

namespace sealcam::camera {

namespace fs = std::filesystem;

static std::optional<struct stat> status_of(const fs::path& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  return status;
}

static unsigned mode_of(const struct stat& status) { return status.st_mode & 07777U; }

void Examination::check_state() {
  const pairing::StateFiles files{subject_.state};
  const auto folder = status_of(files.folder);
  const auto start = std::format("sealcam-camera --state {} keys", files.folder.string());
  std::error_code ec;
  const bool empty = folder && fs::is_empty(files.folder, ec);  // made for the camera, which was not started yet
  if (!folder || (empty && folder->st_uid == ::geteuid() && mode_of(*folder) == 0700)) {
    warn("state", files.folder.string() + (folder ? " is empty: there are no keys yet" : " is not there yet"), start);
    return;
  }
  if (mode_of(*folder) != 0700) {
    fault("state",
          std::format("{} has mode {:04o}: others may look at the keys", files.folder.string(), mode_of(*folder)),
          "chmod 700 " + files.folder.string());
  }
  if (folder->st_uid != ::geteuid()) {
    const auto what = std::format("{} belongs to user {}", files.folder.string(), folder->st_uid);
    if (::geteuid() != 0) {
      fault("state", what, "run this, and the camera, as that user");
      return;
    }
    warn("state", what, "run the camera as that user");
  }
  if (status_of(files.unfinished())) {
    warn("state", "the first start did not finish", start);
    return;
  }
  for (const auto& part : {files.keys(), files.tls_key(), files.tls_request(), files.card()}) {
    if (status_of(part)) continue;
    fault("state", part.string() + " is missing", "empty the folder, start again with new keys, and enrol the camera");
    return;
  }
  if (const auto key = status_of(files.tls_key()); mode_of(*key) != 0600) {
    fault("state", std::format("{} has mode {:04o}", files.tls_key().string(), mode_of(*key)),
          "chmod 600 " + files.tls_key().string());
  } else if (mode_of(*folder) == 0700) {
    ok("state", files.folder.string());
  }
}

void Examination::check_enrolment() {
  const pairing::StateFiles files{subject_.state};
  std::string why;
  const auto enrolment = pairing::read_enrolment(files, &why);
  const auto enrol =
      std::format(R"(its owner runs: sealcam camera enroll {} --name NAME --broker DIR)", files.folder.string());
  if (!enrolment && enrolment.error().code == Errc::not_found) {
    warn("enrolment", "this camera belongs to nobody yet", enrol);
  } else if (!enrolment) {
    fault("enrolment", why.empty() ? to_string(enrolment.error()) : why,
          enrolment.error().code == Errc::permission ? "run this as the camera's user" : enrol);
  } else if (enrolment->role != protocol::Role::camera) {
    fault("enrolment", files.enrolment().string() + " is not a camera's", "name the camera's folder with --state");
  } else {
    ok("enrolment", std::format("broker {}:{}", enrolment->broker_host, enrolment->broker_port));
  }
}

void Examination::check_wifi() {
  const pairing::StateFiles files{subject_.state};
  pairing::WifiOutcome outcome;
  const auto wifi = pairing::read_wifi_file(files, &outcome);
  if (!wifi && wifi.error().code == Errc::malformed) {
    warn("wifi", "wifi.json is damaged", "hand the network over again: sealcam camera wifi");
  } else if (!wifi) {
    ok("wifi", "the owner has named no network: the board's own are used");
  } else if (const auto* const fault = fault_of(outcome.word)) {
    warn("wifi", std::format("{}; the camera is where it was before", fault->sentence), std::string(fault->next));
  } else {
    ok("wifi", outcome.word.empty() ? "the owner's network is still to be tried" : "in the owner's network");
  }
}

void Examination::check_space() {
  // A folder that is not there yet will lie where its nearest parent does.
  fs::path folder = subject_.state;
  std::error_code ec;
  while (!fs::exists(folder, ec) && folder.has_relative_path()) folder = folder.parent_path();
  const auto space = fs::space(folder, ec);
  if (ec) {
    warn("space", std::format("{}: {}", folder.string(), ec.message()), "see df");
    return;
  }
  constexpr std::uintmax_t mib = 1 << 20;
  const auto text = std::format("{} MiB free for {}", space.available / mib, subject_.state.string());
  if (space.available >= 16 * mib) ok("space", text);
  else if (space.available >= mib) warn("space", text, "delete something: logs first");
  else fault("space", text + ": rosters and epochs cannot be stored", "delete something: logs first");
}

}  // namespace sealcam::camera
