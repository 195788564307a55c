// SPDX-License-Identifier: Apache-2.0
/// The Unix socket on which `sealcam-hub open` receives the address of the page with a one-time code. The permissions
/// of the socket and its folder decide who can connect. A client sends a name and a line feed; the hub answers with the
/// address and a line feed. The hub takes the name of the user from the kernel. Only root may name another user,
/// because 'sudo sealcam-hub open' runs for the user of sudo.
#pragma once

#include <sys/types.h>

#include <boost/asio/local/stream_protocol.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.hpp"
#include "base/result.hpp"

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

/// Thread-bound to the thread that runs the io_context. It serves four clients at once, each for two seconds at most.
class OpenSocket {
 public:
  /// Returns the address for a client with this name; empty: the hub cannot make one now.
  using Answer = std::function<std::string(std::string_view user)>;
  /// Replaces a socket of an earlier run. With `group`, members of the hub's group can connect (mode 0660), otherwise
  /// its user only (mode 0600). root always can. Errors: permission, io.
  [[nodiscard]] static Result<std::unique_ptr<OpenSocket>> open(boost::asio::io_context& io,
                                                                const std::filesystem::path& path, bool group,
                                                                Answer answer);
  OpenSocket(const OpenSocket&) = delete;
  OpenSocket& operator=(const OpenSocket&) = delete;
  /// Deletes the socket.
  ~OpenSocket();
  /// Ends all connections. Pending handlers do not use this object any more.
  void stop();

 private:
  struct Shared;
  OpenSocket(boost::asio::io_context& io, std::filesystem::path path, Answer answer);
  static void accept(std::shared_ptr<Shared> shared);
  std::filesystem::path path_;
  std::shared_ptr<Shared> shared_;
};

/// The user for whom a client acts: `claimed` for root, otherwise the user of the client's process.
[[nodiscard]] std::string user_of_peer(uid_t peer, std::string_view claimed);

/// The client's side: blocks for five seconds at most. Errors: not_found (no socket), connection (the hub does not
/// run), permission, timeout, exhausted (the hub could not make an address).
[[nodiscard]] Result<std::string> request_address(const std::filesystem::path& socket, std::string_view user);

}  // namespace sealcam::hub::access
