// SPDX-License-Identifier: Apache-2.0
#include "protocol/archive_key.hpp"

#include <algorithm>

#include "crypto/cbor.hpp"

namespace sealcam::protocol {

namespace hpke = crypto::hpke;

namespace {

Bytes info_for(const crypto::PublicKey& owner) {
  crypto::CborWriter writer;
  writer.array(2).text("sealcam/1 archive key").bytes(owner.account().bytes());
  return writer.take();
}

}  // namespace

Result<Bytes> seal_archive_key(const ArchiveKey& key, const crypto::PublicKey& owner) {
  auto sealed = hpke::seal(owner, info_for(owner), key.reveal());
  if (!sealed) return std::unexpected(sealed.error());
  Bytes out(sealed->enc.begin(), sealed->enc.end());
  out.insert(out.end(), sealed->ciphertext.begin(), sealed->ciphertext.end());
  return out;
}

Result<ArchiveKey> open_archive_key(ByteView sealed, const Secret<32>& identity) {
  if (sealed.size() != sealed_archive_key_size) return fail(Errc::malformed, "not a sealed archive key");
  const auto pair = crypto::import_agreement_key(identity);
  if (!pair) return std::unexpected(pair.error());
  hpke::Enc enc{};
  std::ranges::copy(sealed.first(enc.size()), enc.begin());
  auto plaintext = hpke::open(crypto::AgreementKey(pair->first.id(), pair->second), enc, info_for(pair->second),
                              sealed.subspan(enc.size()));
  if (!plaintext) return std::unexpected(plaintext.error());
  ArchiveKey key{ByteView(*plaintext).first<ArchiveKey::size()>()};
  wipe(*plaintext);
  return key;
}

}  // namespace sealcam::protocol
