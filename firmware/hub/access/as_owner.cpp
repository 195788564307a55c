// SPDX-License-Identifier: Apache-2.0
#include "hub/access/as_owner.hpp"

#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

namespace sealcam::hub::access {

AsOwner::AsOwner(const std::filesystem::path& folder) {
  struct stat info{};
  if (::geteuid() != 0 || ::stat(folder.c_str(), &info) != 0 || info.st_uid == 0) return;
  const int count = ::getgroups(0, nullptr);
  groups_.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  if (::getgroups(count, groups_.data()) != count || ::setgroups(1, &info.st_gid) != 0) return;
  changed_ = true;
  if (::setegid(info.st_gid) == 0 && ::seteuid(info.st_uid) == 0) return;
  become_root();
}

AsOwner::~AsOwner() { become_root(); }

void AsOwner::become_root() {
  if (!std::exchange(changed_, false)) return;
  if (::seteuid(0) != 0 || ::setegid(0) != 0 || ::setgroups(groups_.size(), groups_.data()) != 0) std::abort();
}

}  // namespace sealcam::hub::access
