// SPDX-License-Identifier: Apache-2.0
/// root acts as the owner of a folder.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <vector>

namespace sealcam::hub::access {

/// While it exists, root has the user, the group and no other groups than those of the folder's owner, so that a link
/// in the folder leads to nothing that this owner cannot open. It does nothing for other users, for a folder of root,
/// and where the kernel does not permit it. The identity belongs to the process, so one object at a time, and no
/// threads.
class AsOwner {
 public:
  explicit AsOwner(const std::filesystem::path& folder);
  AsOwner(const AsOwner&) = delete;
  AsOwner& operator=(const AsOwner&) = delete;
  ~AsOwner();

 private:
  void become_root();
  bool changed_ = false;
  std::vector<gid_t> groups_;  ///< of root
};

}  // namespace sealcam::hub::access
