// SPDX-License-Identifier: Apache-2.0
/// The D-Bus helper: one connection, with one call at a time. Private to this folder.
#pragma once

#include <systemd/sd-bus.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "hal/board_control.hpp"

namespace sealcam::hal::networkmanager {

struct CloseBus {
  void operator()(sd_bus* bus) const noexcept { ::sd_bus_close_unref(bus); }
};
struct UnrefMessage {
  void operator()(sd_bus_message* message) const noexcept { ::sd_bus_message_unref(message); }
};
struct UnrefSlot {
  void operator()(sd_bus_slot* slot) const noexcept { ::sd_bus_slot_unref(slot); }
};
using MessagePtr = std::unique_ptr<sd_bus_message, UnrefMessage>;
using SlotPtr = std::unique_ptr<sd_bus_slot, UnrefSlot>;

inline constexpr auto service = "org.freedesktop.NetworkManager";
inline constexpr auto manager_path = "/org/freedesktop/NetworkManager";
inline constexpr auto settings_path = "/org/freedesktop/NetworkManager/Settings";
inline constexpr auto agents_path = "/org/freedesktop/NetworkManager/AgentManager";
inline constexpr auto agents_interface = "org.freedesktop.NetworkManager.AgentManager";
inline constexpr auto manager_interface = "org.freedesktop.NetworkManager";
inline constexpr auto settings_interface = "org.freedesktop.NetworkManager.Settings";
inline constexpr auto profile_interface = "org.freedesktop.NetworkManager.Settings.Connection";
inline constexpr auto device_interface = "org.freedesktop.NetworkManager.Device";
inline constexpr auto wireless_interface = "org.freedesktop.NetworkManager.Device.Wireless";
inline constexpr auto active_interface = "org.freedesktop.NetworkManager.Connection.Active";
inline constexpr auto properties_interface = "org.freedesktop.DBus.Properties";

/// The error of a call.
struct BusError {
  JoinFault fault = JoinFault::other;
  bool gone = false;   ///< the object does not exist
  std::string text{};  ///< printable, at most 200 bytes
};
[[nodiscard]] BusError to_bus_error(const sd_bus_error& error);

/// Reads a list of objects, at most 1000.
[[nodiscard]] std::vector<std::string> read_paths(sd_bus_message& reply);
/// Reads one object; empty on failure.
[[nodiscard]] std::string read_path(sd_bus_message& reply);
/// Reads a number in a variant, as Get returns it; 0 on failure.
[[nodiscard]] std::uint32_t read_number(sd_bus_message& reply);

/// Does not wait. Thread-bound.
class Bus {
 public:
  using Answer = std::move_only_function<void(sd_bus_message&)>;
  using Fallback = std::move_only_function<void(const BusError&)>;
  using Signal = std::function<void(sd_bus_message&)>;

  /// `address`: as in DBUS_SYSTEM_BUS_ADDRESS; empty: the system bus. Errors: connection.
  [[nodiscard]] static Result<std::unique_ptr<Bus>> connect(const std::string& address);

  /// Returns null if there is no memory.
  [[nodiscard]] MessagePtr method(const char* path, const char* interface, const char* member) const;
  /// Requests a property of an object.
  [[nodiscard]] MessagePtr get(const std::string& path, const char* interface, const char* property) const;

  /// Sends later calls only to the process that sent this answer, because a new NetworkManager reuses the paths of
  /// objects. After the end of that process, calls fail with `unmanaged`.
  void pin(sd_bus_message& answer);
  /// Sends calls to any process that is NetworkManager, as at the start.
  void unpin() { to_ = service; }

  /// Sends a call; process() then calls one of both functions. Cancels an earlier call.
  void call(MessagePtr message, Answer answer, Fallback fallback);
  [[nodiscard]] bool busy() const noexcept { return call_ != nullptr; }
  /// Cancels the running call.
  void forget() noexcept { call_.reset(); }
  /// Subscribes to a signal. Replaces an earlier subscription. Errors: io.
  [[nodiscard]] Result<> watch(const std::string& path, const char* interface, const char* member, Signal signal);

  /// Sends and receives without waiting. Errors: connection (the bus is gone).
  [[nodiscard]] Result<> process();

 private:
  struct Call : std::enable_shared_from_this<Call> {
    Bus& bus;
    Answer answer;
    Fallback fallback;
    SlotPtr slot;
    Call(Bus& on, Answer good, Fallback bad) : bus(on), answer(std::move(good)), fallback(std::move(bad)) {}
  };
  explicit Bus(sd_bus* bus) noexcept : bus_(bus) {}
  static int on_answer(sd_bus_message* reply, void* call, sd_bus_error* error);
  static int on_signal(sd_bus_message* message, void* signal, sd_bus_error* error);

  std::unique_ptr<sd_bus, CloseBus> bus_;
  std::unique_ptr<Signal> signal_;
  SlotPtr match_;
  std::shared_ptr<Call> call_;
  std::string to_ = service;
};

}  // namespace sealcam::hal::networkmanager
