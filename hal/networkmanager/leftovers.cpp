// SPDX-License-Identifier: Apache-2.0
#include "hal/networkmanager/leftovers.hpp"

#include <utility>

#include "hal/networkmanager/card.hpp"
#include "hal/networkmanager/profile.hpp"

namespace sealcam::hal::networkmanager {

void Leftovers::remove(Bus& bus, Done done) {
  bus_ = &bus;
  done_ = std::move(done);
  found_ = false;
  bus_->call(
      bus_->method(settings_path, settings_interface, "ListConnections"),
      [this](sd_bus_message& reply) {
        bus_->stay_with(reply);
        todo_ = read_paths(reply);
        look_at_next();
      },
      [this](const Refusal& refusal) { done_(std::unexpected(refusal)); });
}

void Leftovers::look_at_next() {
  if (todo_.empty()) return done_(found_);
  const auto path = std::move(todo_.back());
  todo_.pop_back();
  bus_->call(
      bus_->method(path.c_str(), profile_interface, "GetSettings"),
      [this, path](sd_bus_message& reply) {
        if (is_ours(reply)) ask_whether_saved(path);
        else look_at_next();
      },
      [this](const Refusal&) { look_at_next(); });  // not for us to see, or gone
}

void Leftovers::ask_whether_saved(const std::string& path) {
  auto message = bus_->method(path.c_str(), properties_interface, "GetAll");
  if (message && ::sd_bus_message_append(message.get(), "s", profile_interface) < 0) message.reset();
  bus_->call(
      std::move(message),
      [this, path](sd_bus_message& reply) {
        if (is_unsaved(reply)) drop(path);
        else look_at_next();
      },
      [this](const Refusal& refusal) {
        if (refusal.gone) look_at_next();
        else done_(std::unexpected(refusal));
      });
}

void Leftovers::drop(const std::string& path) {
  bus_->call(
      bus_->method(path.c_str(), profile_interface, "Delete"),
      [this](sd_bus_message&) {
        found_ = true;
        look_at_next();
      },
      [this](const Refusal& refusal) {
        if (refusal.gone) look_at_next();
        else done_(std::unexpected(refusal));
      });
}

}  // namespace sealcam::hal::networkmanager
