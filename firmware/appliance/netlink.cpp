// SPDX-License-Identifier: Apache-2.0
#include "appliance/netlink.hpp"

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <cstring>

namespace sealcam::appliance {

namespace {

constexpr std::size_t largest_answer = std::size_t{64} * 1024;
constexpr timeval patience{.tv_sec = 5, .tv_usec = 0};

constexpr std::size_t padded(std::size_t size) { return (size + NLMSG_ALIGNTO - 1) / NLMSG_ALIGNTO * NLMSG_ALIGNTO; }

template <class T>
void append(Bytes& out, const T& value) {
  const auto bytes = std::as_bytes(std::span(&value, 1));
  out.insert(out.end(), bytes.begin(), bytes.end());
}

/// The first bytes of `in` as a structure of the kernel's; nothing when there are too few.
template <class T>
std::optional<T> read(ByteView in) {
  if (in.size() < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, in.data(), sizeof(T));
  return value;
}

Error refusal(int code) {
  if (code == ENOENT) return {.code = Errc::not_found, .native = code, .what = "the kernel's generic netlink"};
  if (code == EPERM || code == EACCES)
    return {.code = Errc::permission, .native = code, .what = "the kernel's generic netlink"};
  return {.code = Errc::unsupported, .native = code, .what = "the kernel's generic netlink"};
}

}  // namespace

Result<std::unique_ptr<NetlinkSocket>> NetlinkSocket::open() {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC));
  if (!fd) return fail(Errc::unsupported, "open a netlink socket", errno);
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0)
    return fail(Errc::io, "limit the time of a netlink socket", errno);
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  // Only the kernel's messages come in from then on.
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel) != 0)
    return fail(Errc::io, "connect a netlink socket", errno);
  return std::unique_ptr<NetlinkSocket>(new NetlinkSocket(std::move(fd)));
}

Result<Bytes> NetlinkSocket::do_ask(NetlinkFamily family, std::uint8_t command, ByteView attributes) {
  Bytes message;
  const auto size = sizeof(nlmsghdr) + sizeof(genlmsghdr) + attributes.size();
  append(message, nlmsghdr{.nlmsg_len = static_cast<std::uint32_t>(size),
                           .nlmsg_type = static_cast<std::uint16_t>(family),
                           .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
                           .nlmsg_seq = ++sequence_,
                           .nlmsg_pid = 0});
  append(message, genlmsghdr{.cmd = command, .version = 1, .reserved = 0});
  message.insert(message.end(), attributes.begin(), attributes.end());
  if (::send(fd_.get(), message.data(), message.size(), 0) != static_cast<ssize_t>(message.size()))
    return fail(Errc::io, "ask the kernel", errno);
  return receive();
}

/// Everything of this question up to the acknowledgement, which was asked for and so comes last.
Result<Bytes> NetlinkSocket::receive() {
  Bytes buffer(largest_answer);
  Bytes answer;
  for (;;) {
    const auto got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(errno == EAGAIN ? Errc::timeout : Errc::io, "the kernel's answer", errno);
    ByteView rest(buffer.data(), static_cast<std::size_t>(got));
    while (const auto head = read<nlmsghdr>(rest)) {
      if (head->nlmsg_len < sizeof(nlmsghdr) || head->nlmsg_len > rest.size())
        return fail(Errc::malformed, "the kernel's answer");
      const auto body = rest.subspan(sizeof(nlmsghdr), head->nlmsg_len - sizeof(nlmsghdr));
      rest = rest.subspan(std::min(padded(head->nlmsg_len), rest.size()));
      if (head->nlmsg_seq != sequence_) continue;  // late, of a question that was given up
      if (head->nlmsg_type == NLMSG_ERROR) {
        const auto code = read<int>(body);
        if (!code) return fail(Errc::malformed, "the kernel's acknowledgement");
        if (*code != 0) return std::unexpected(refusal(-*code));
        return answer;
      }
      if (body.size() < sizeof(genlmsghdr)) return fail(Errc::malformed, "the kernel's answer");
      answer.assign(body.begin() + sizeof(genlmsghdr), body.end());
    }
  }
}

Bytes text_attribute(std::uint16_t type, std::string_view text) {
  Bytes out;
  append(out, nlattr{.nla_len = static_cast<std::uint16_t>(sizeof(nlattr) + text.size() + 1), .nla_type = type});
  const auto bytes = as_bytes(text);
  out.insert(out.end(), bytes.begin(), bytes.end());
  out.push_back(std::byte{0});
  out.resize(padded(out.size()));
  return out;
}

std::optional<ByteView> find_attribute(ByteView attributes, std::uint16_t type) {
  while (const auto head = read<nlattr>(attributes)) {
    if (head->nla_len < sizeof(nlattr) || head->nla_len > attributes.size()) return std::nullopt;
    if ((head->nla_type & NLA_TYPE_MASK) == type)
      return attributes.subspan(sizeof(nlattr), head->nla_len - sizeof(nlattr));
    attributes = attributes.subspan(std::min(padded(head->nla_len), attributes.size()));
  }
  return std::nullopt;
}

Result<NetlinkFamily> find_family(GenericNetlink& kernel, std::string_view name) {
  const auto answer =
      kernel.ask(NetlinkFamily{GENL_ID_CTRL}, CTRL_CMD_GETFAMILY, text_attribute(CTRL_ATTR_FAMILY_NAME, name));
  if (!answer) return std::unexpected(answer.error());
  const auto value = find_attribute(*answer, CTRL_ATTR_FAMILY_ID);
  const auto id = value ? read<std::uint16_t>(*value) : std::nullopt;
  if (!id) return fail(Errc::malformed, "a netlink family's number");
  return NetlinkFamily{*id};
}

}  // namespace sealcam::appliance
