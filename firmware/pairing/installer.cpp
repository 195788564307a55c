// SPDX-License-Identifier: Apache-2.0
#include "pairing/installer.hpp"

#include "pairing/wifi_file.hpp"

namespace sealcam::pairing {

Result<> FolderInstaller::do_install(const Enrolment& enrolment, const std::optional<Bytes>& roster,
                                     const std::optional<protocol::Wifi>& wifi) {
  std::error_code ec;
  if (std::filesystem::exists(std::filesystem::symlink_status(files_.enrolment(), ec)))
    return fail(Errc::exists, "this device is somebody's already");
  // One that an enrolment without an end left is not this owner's.
  if (auto r = wifi ? write_wifi_file(files_, *wifi) : remove_wifi_file(files_); !r) return r;
  if (roster)
    if (auto r = write_file_durably(files_.folder / "roster", *roster); !r) return r;
  return write_enrolment(files_, enrolment);
}

}  // namespace sealcam::pairing
