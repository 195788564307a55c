// SPDX-License-Identifier: Apache-2.0
// sealcam phone link. The commands for linked phones are those for hubs (device_commands.cpp).

#include <cstdio>
#include <optional>
#include <thread>

#include "base/format.hpp"
#include "owner/commands/change.hpp"
#include "owner/enrollment/phone.hpp"
#include "pairing/pairing_service.hpp"

namespace sealcam::owner {

namespace {

Outcome<std::shared_ptr<const Operator>> operator_for(const Account& account, const PhoneArguments& arguments) {
  const auto& folder = arguments.broker.empty() ? account.file().broker_folder : arguments.broker;
  if (!folder.empty()) return local_operator({folder});
  return failure(EX_USAGE,
                 "give the folder of the broker with --broker DIR; phones are linked on the machine with this folder");
}

/// The address for the phone. Only the owner's terminal shows it, because it contains the code.
void show_address(const Dependencies& deps, const std::string& address) {
  if (deps.json) {
    print_json(JsonObject().add("address", address).add("seconds", std::chrono::seconds(link_time).count()));
  } else {
    sealcam::println("Scan this code with the camera of the phone, or open the address in its browser:\n\n    {}\n\n{}",
                     address, pairing::qr_code(address).value_or(""));
    sealcam::println(
        "The address links one phone, within 10 minutes. Do not show it to other people, because it lets a phone watch "
        "your "
        "cameras.\nOn an iPhone, first add the page to the home screen, and open the address there.\nWaiting for the "
        "phone. Ctrl+C ends the link, and no phone is linked.");
  }
  std::fflush(stdout);  // a script reads the address while this program waits
}

/// `blocked`: set as soon as the link must not be interrupted.
Outcome<> link_and_publish(const Dependencies& deps, const PhoneArguments& arguments,
                           std::optional<BlockedSignals>& blocked) {
  const auto app = parse_app_address(arguments.app);
  if (!app) return std::unexpected(app.error());
  auto account = Account::open(deps.account());
  if (!account) return std::unexpected(account.error());
  if (auto r = check_in_sync(account->file()); !r) return r;
  const auto broker = operator_for(*account, arguments);
  if (!broker) return std::unexpected(broker.error());
  const auto server = https_app_server(*app);
  const PhoneLinkDependencies link{.app = *server,
                                   .clock = deps.clock,
                                   .pause = [](std::chrono::milliseconds time) { std::this_thread::sleep_for(time); },
                                   .show = [&](const std::string& address) { show_address(deps, address); },
                                   .received =
                                       [&](const DeviceId& phone) {
                                         blocked.emplace();
                                         if (!deps.json)
                                           sealcam::println("phone {} answered with the code of this link",
                                                            phone.to_string());
                                       }};
  const auto linked = link_phone(*account, {arguments.name, *app, *broker}, link);
  if (!linked) return std::unexpected(linked.error());
  auto published = remember_broker(*account, **broker);
  if (published) published = publish_new(deps, *account, "phone", arguments.name, *linked);
  if (!published && !published.error().message.empty())
    published.error().message += sealcam::format("; the phone {} is linked", linked->id.to_string());
  return published;
}

}  // namespace

Outcome<> link_phone(const Dependencies& deps, const PhoneArguments& arguments) {
  std::optional<BlockedSignals> blocked;
  auto done = link_and_publish(deps, arguments, blocked);
  // The result is complete before a blocked signal ends the program.
  if (blocked && !done && !done.error().message.empty()) {
    sealcam::println(stderr, "sealcam: {}", done.error().message);
    done.error().message.clear();
  }
  std::fflush(stdout);
  return done;
}

}  // namespace sealcam::owner
