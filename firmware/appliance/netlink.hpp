// SPDX-License-Identifier: Apache-2.0
/// The kernel's generic netlink (<linux/genetlink.h>), one question at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "core/bytes.hpp"
#include "core/file.hpp"

namespace sealcam::appliance {

/// A family's number, which the kernel gives at run time.
enum class NetlinkFamily : std::uint16_t {};

/// Thread-bound.
class GenericNetlink {
 public:
  virtual ~GenericNetlink() = default;
  /// Sends a command with its attributes; the attributes of the answer, empty where the kernel only acknowledges.
  /// Errors: not_found (the kernel has no such family), permission, unsupported (it refused), timeout, malformed, io.
  [[nodiscard]] Result<Bytes> ask(NetlinkFamily family, std::uint8_t command, ByteView attributes) {
    return do_ask(family, command, attributes);
  }

 private:
  virtual Result<Bytes> do_ask(NetlinkFamily family, std::uint8_t command, ByteView attributes) = 0;
};

/// A socket of this process. An answer may take 5 s. Thread-bound.
class NetlinkSocket final : public GenericNetlink {
 public:
  /// Errors: unsupported (no generic netlink here, or it is forbidden), io.
  static Result<std::unique_ptr<NetlinkSocket>> open();

 private:
  explicit NetlinkSocket(UniqueFd fd) : fd_(std::move(fd)) {}
  Result<Bytes> do_ask(NetlinkFamily family, std::uint8_t command, ByteView attributes) override;
  Result<Bytes> receive();
  UniqueFd fd_;
  std::uint32_t sequence_ = 0;
};

/// An attribute that is a text, its final zero included.
[[nodiscard]] Bytes text_attribute(std::uint16_t type, std::string_view text);

/// The value of the first attribute of a type; nothing when there is none, or where the list of them breaks off before
/// it.
[[nodiscard]] std::optional<ByteView> find_attribute(ByteView attributes, std::uint16_t type);

/// The number of a family, whose module the kernel loads when it is not there. Errors: as ask().
[[nodiscard]] Result<NetlinkFamily> find_family(GenericNetlink& kernel, std::string_view name);

}  // namespace sealcam::appliance
