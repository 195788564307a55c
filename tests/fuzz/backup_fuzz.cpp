// SPDX-License-Identifier: Apache-2.0
// A backup of an account. The first byte selects the meaning of the rest: 0 is the file, which the fuzzer opens with
// the account's key; 1 is the content, which the fuzzer seals with this key; 2 is the file, opened with a passphrase.
#include <algorithm>

#include "base/bytes.hpp"
#include "crypto/passphrase.hpp"
#include "input.hpp"
#include "owner/account/backup.hpp"
#include "parties.hpp"

using namespace sealcam;
using fuzz::must;

namespace {

constexpr std::string_view label = "SEALCAM ACCOUNT";
constexpr std::size_t max_size = 16U << 10;

Secret<32> identity() { return Secret<32>(must(crypto::sha256(as_bytes("sealcam fuzz backup identity")))); }
const AccountId& account() {
  static const auto id = must(crypto::import_signing_key(identity())).second.account();
  return id;
}

/// An opened backup belongs to the key that opened it, and its parts fit together.
void check(const owner::Outcome<owner::Backup>& backup) {
  if (!backup) return SC_ASSERT(!backup.error().message.empty());
  SC_ASSERT(!backup->account || backup->account->account == account());
  SC_ASSERT(backup->tls.has_value() == !backup->enrollment.empty());
  SC_ASSERT(backup->account || backup->enrollment.empty());
  if (!backup->account) return;
  const auto text = owner::account_text(*backup->account);
  SC_ASSERT(owner::account_text(owner::parse_account(text, "again").value()) == text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  (void)fuzz::parties();  // initializes the crypto library
  if (size > max_size) return 0;
  fuzz::Input in(data, size);
  switch (in.byte() % 3) {
    case 0: check(owner::read_backup(in.text(), identity())); break;
    case 1: check(owner::read_backup(must(crypto::write_sealed_pem(label, in.rest(), identity())), identity())); break;
    case 2: {
      // An encrypted key in it would need half a second for its passphrase, so the fuzzer checks that this is bounded.
      const auto backup =
          owner::read_backup(in.text(), must(crypto::Passphrase::make(as_bytes("correct horse battery"))));
      SC_ASSERT(!backup || !backup->account);  // nothing was sealed to this passphrase
      break;
    }
  }
  return 0;
}
