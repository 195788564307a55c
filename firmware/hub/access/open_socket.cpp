// SPDX-License-Identifier: Apache-2.0
#include "hub/access/open_socket.hpp"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/file.hpp"
#include "base/format.hpp"

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

namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using asio::local::stream_protocol;
using boost::system::error_code;

constexpr std::size_t max_line = 128;
constexpr std::size_t max_clients = 4;
constexpr std::chrono::seconds client_time{2};
constexpr timeval reply_time{5, 0};
/// After an error of accept(2). Usually no file descriptors are left, and trying again at once would be a busy loop.
constexpr std::chrono::milliseconds accept_pause{100};

std::unexpected<Error> fail_at(Errc code, const char* what, const fs::path& path, int e) {
  return std::unexpected(located({code, e, what}, path.native()));
}

/// A path below /proc/self/fd, because the address of a socket holds 107 bytes only. The descriptor must stay open.
struct ShortPath {
  explicit ShortPath(const fs::path& full)
      : folder(::open(full.parent_path().empty() ? "." : full.parent_path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)),
        path(sealcam::format("/proc/self/fd/{}/{}", folder.get(), full.filename().string())) {}
  UniqueFd folder;
  std::string path;
};

/// The process that connected, by the kernel. A user who is unknown here has a number.
std::string name_of(stream_protocol::socket& socket, std::string_view claimed) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return "unknown";
  return user_of_peer(peer.uid, claimed);
}

class Client : public std::enable_shared_from_this<Client> {
 public:
  Client(stream_protocol::socket socket, std::shared_ptr<const OpenSocket::Answer> answer,
         std::shared_ptr<std::size_t> count)
      : socket_(std::move(socket)),
        timer_(socket_.get_executor()),
        answer_(std::move(answer)),
        count_(std::move(count)) {
    ++*count_;
  }
  ~Client() { --*count_; }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void start() {
    timer_.expires_after(client_time);
    timer_.async_wait([weak = weak_from_this()](error_code ec) {
      const auto self = weak.lock();
      error_code ignored;
      if (!ec && self) self->socket_.close(ignored);
    });
    asio::async_read_until(socket_, asio::dynamic_buffer(text_, max_line), '\n',
                           [self = shared_from_this()](error_code ec, std::size_t size) {
                             if (!ec) self->reply(size);
                           });
  }

 private:
  void reply(std::size_t size) {
    text_ = (*answer_)(name_of(socket_, std::string_view(text_).substr(0, size - 1))) + "\n";
    asio::async_write(socket_, asio::buffer(text_), [self = shared_from_this()](error_code, std::size_t) {});
  }

  stream_protocol::socket socket_;
  asio::steady_timer timer_;
  std::shared_ptr<const OpenSocket::Answer> answer_;
  std::shared_ptr<std::size_t> count_;
  std::string text_;
};

}  // namespace

std::string user_of_peer(uid_t peer, std::string_view claimed) {
  if (peer == 0 && !claimed.empty()) return std::string(claimed);
  const auto* const entry = ::getpwuid(peer);
  return entry != nullptr ? entry->pw_name : sealcam::format("user {}", peer);
}

struct OpenSocket::Shared {
  stream_protocol::acceptor acceptor;
  asio::steady_timer pause;
  std::shared_ptr<const Answer> answer;
  std::shared_ptr<std::size_t> clients = std::make_shared<std::size_t>(0);
};

OpenSocket::OpenSocket(asio::io_context& io, fs::path path, Answer answer)
    : path_(std::move(path)),
      shared_(std::make_shared<Shared>(stream_protocol::acceptor(io), asio::steady_timer(io),
                                       std::make_shared<const Answer>(std::move(answer)))) {}

OpenSocket::~OpenSocket() {
  stop();
  ::unlink(path_.c_str());
}

void OpenSocket::stop() {
  error_code ignored;
  shared_->acceptor.close(ignored);
  shared_->pause.cancel();
}

Result<std::unique_ptr<OpenSocket>> OpenSocket::open(asio::io_context& io, const fs::path& path, bool group,
                                                     Answer answer) {
  const ShortPath place(path);
  if (!place.folder) return fail_at(errno == EACCES ? Errc::permission : Errc::io, "opening the folder", path, errno);
  struct stat info{};
  if (::lstat(path.c_str(), &info) == 0 && !S_ISSOCK(info.st_mode))
    return fail_at(Errc::io, "another file has the name of the socket: delete it", path, 0);
  ::unlink(path.c_str());
  std::unique_ptr<OpenSocket> socket(new OpenSocket(io, path, std::move(answer)));
  auto& acceptor = socket->shared_->acceptor;
  error_code ec;
  acceptor.open(stream_protocol(), ec);
  // The kernel gives a socket in the file system the mode of the descriptor, so there is no moment with a wider one.
  if (!ec && ::fchmod(acceptor.native_handle(), group ? 0660 : 0600) != 0)
    ec.assign(errno, boost::system::system_category());
  if (!ec) acceptor.bind(stream_protocol::endpoint(place.path), ec);
  if (!ec && ::chmod(path.c_str(), group ? 0660 : 0600) != 0) ec.assign(errno, boost::system::system_category());
  if (!ec) acceptor.listen(asio::socket_base::max_listen_connections, ec);
  if (ec) return fail_at(ec.value() == EACCES ? Errc::permission : Errc::io, "creating the socket", path, ec.value());
  accept(socket->shared_);
  return socket;
}

void OpenSocket::accept(std::shared_ptr<Shared> shared) {
  auto& acceptor = shared->acceptor;
  acceptor.async_accept([shared = std::move(shared)](error_code ec, stream_protocol::socket peer) {
    if (!shared->acceptor.is_open()) return;
    if (ec) {
      auto& pause = shared->pause;
      pause.expires_after(accept_pause);
      return pause.async_wait([shared](error_code) {
        if (shared->acceptor.is_open()) accept(shared);
      });
    }
    // Over the limit the destructor of `peer` closes the connection.
    if (*shared->clients < max_clients)
      std::make_shared<Client>(std::move(peer), shared->answer, shared->clients)->start();
    accept(shared);
  });
}

Result<std::string> request_address(const fs::path& path, std::string_view user) {
  const ShortPath place(path);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  SC_ASSERT(place.path.size() < sizeof address.sun_path);
  std::memcpy(address.sun_path, place.path.data(), place.path.size());
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return fail(Errc::io, "creating a socket", errno);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &reply_time, sizeof reply_time);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &reply_time, sizeof reply_time);
  if (!place.folder || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const auto code = errno == ENOENT                     ? Errc::not_found
                      : errno == EACCES || errno == EPERM ? Errc::permission
                                                          : Errc::connection;
    return fail_at(code, "connecting to the hub", path, errno);
  }
  const auto line = std::string(user) + "\n";
  if (::send(fd.get(), line.data(), line.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(line.size()))
    return fail_at(Errc::connection, "sending to the hub", path, errno);
  std::string text;
  std::array<char, 256> part{};
  for (ssize_t n = 0; (n = ::recv(fd.get(), part.data(), part.size(), 0)) > 0 && text.size() < 1024;)
    text.append(part.data(), static_cast<std::size_t>(n));
  if (!text.ends_with('\n')) return fail_at(Errc::timeout, "the hub did not answer", path, 0);
  text.pop_back();
  if (text.empty())
    return fail_at(Errc::exhausted, "the hub could not make an address; its log has the reason", path, 0);
  return text;
}

}  // namespace sealcam::hub::access
