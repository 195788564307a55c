// SPDX-License-Identifier: Apache-2.0
/// The commands for phones: `sealcam phone`.
#include "owner/commands/command_line.hpp"

namespace sealcam::owner {

void CommandLine::add_phone_commands() {
  auto& phone = group(app_, "phone", "Manage phones, which are hubs in a browser");
  auto [link, l] = add(phone, "link", "Add a phone to the account, with a QR code", &link_phone);
  add_text(link, "NAME", l.name, "", "Name of the phone, at most 64 bytes")->required();
  add_text(link, "--app", l.app, "https://HOST:PORT", "Address of the app that a hub of this account serves")
      ->required();
  add_path(link, "--broker", l.broker, "DIR", "Folder of the broker on this machine (default: the account's)");
  add(phone, "list", "List the phones, their cameras and their unconfirmed changes", &list_phones);
  auto [unlink, u] =
      add_for_hub(phone, "unlink", "Remove a phone from all rosters and from the broker", &take_phone_out);
  add_revoke(unlink, u.change);
  phone.footer("The commands 'sealcam hub allow', 'deny' and 'allow-privacy' apply to phones too.");
}

}  // namespace sealcam::owner
