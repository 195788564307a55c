// SPDX-License-Identifier: Apache-2.0
#include "crypto/key_store.hpp"

#include <psa/crypto.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "base/file.hpp"
#include "base/format.hpp"
#include "crypto/internal.hpp"

namespace sealcam::crypto {

namespace {

constexpr psa_key_id_t identity_id = 1;
constexpr psa_key_id_t hpke_id = 2;

// mbedTLS uses these file names.
constexpr const char* identity_file = "0000000000000001.psa_its";
constexpr const char* hpke_file = "0000000000000002.psa_its";
constexpr const char* temporary_file = "tempfile.psa_its";

// Both public keys, written after the private keys are on the disk. The private files have no checksum: without this
// record, a changed bit would silently create another identity.
constexpr const char* record_file = "device-keys.public";
// Exists while keys are created or destroyed, so that an interruption is not taken for damage.
constexpr const char* unfinished_file = "device-keys.unfinished";

using Record = std::array<std::byte, 2 * PublicKey::size>;

/// True for any kind of entry, including a folder or a dangling link.
bool present(const std::filesystem::path& path) {
  std::error_code ec;
  return std::filesystem::symlink_status(path, ec).type() != std::filesystem::file_type::not_found;
}

Result<> remove_file(const std::filesystem::path& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail(Errc::io, "deleting a key file", errno);
  return {};
}

Record record_of(const PublicKey& identity, const PublicKey& hpke) {
  Record record;
  const auto rest = std::ranges::copy(identity.bytes(), record.begin()).out;
  std::ranges::copy(hpke.bytes(), rest);
  return record;
}

DeviceKeys handles(const PublicKey& identity, const PublicKey& hpke) {
  return {SigningKey(identity_id, identity), AgreementKey(hpke_id, hpke)};
}

/// Checks the attributes of a stored key and returns its public key.
Result<PublicKey> stored_key(psa_key_id_t id, const psa_key_attributes_t& expected) {
  auto found = psa_key_attributes_init();
  if (const auto s = psa_get_key_attributes(id, &found); s != PSA_SUCCESS)
    return fail(Errc::malformed, "cannot read a device key", s);
  const auto usage = psa_get_key_usage_flags(&found) & ~(id == identity_id ? PSA_KEY_USAGE_EXPORT : psa_key_usage_t{0});
  const bool matches = psa_get_key_type(&found) == psa_get_key_type(&expected) &&
                       psa_get_key_bits(&found) == psa_get_key_bits(&expected) &&
                       psa_get_key_algorithm(&found) == psa_get_key_algorithm(&expected) &&
                       psa_get_key_enrollment_algorithm(&found) == PSA_ALG_NONE &&
                       usage == psa_get_key_usage_flags(&expected) &&
                       psa_get_key_lifetime(&found) == PSA_KEY_LIFETIME_PERSISTENT;
  psa_reset_key_attributes(&found);
  if (!matches) return fail(Errc::malformed, "device key has the wrong type");
  auto key = policy::public_key_of(id);
  if (!key) return fail(Errc::malformed, "device key is damaged", key.error().native);
  return key;
}

/// Creates the key in the store of PSA, or imports `scalar`.
Result<> create(psa_key_attributes_t attributes, psa_key_id_t id, const Secret<32>* scalar) {
  psa_set_key_id(&attributes, id);
  psa_set_key_lifetime(&attributes, PSA_KEY_LIFETIME_PERSISTENT);
  psa_key_id_t made = 0;
  const auto s = scalar == nullptr
                     ? psa_generate_key(&attributes, &made)
                     : psa_import_key(&attributes, c_bytes(ByteView(scalar->reveal())), scalar->size(), &made);
  if (s == PSA_SUCCESS) return {};
  if (s == PSA_ERROR_INVALID_ARGUMENT && scalar != nullptr)
    return fail(Errc::malformed, "private key is out of range", s);
  const bool storage = s == PSA_ERROR_STORAGE_FAILURE || s == PSA_ERROR_INSUFFICIENT_STORAGE;
  return fail(storage ? Errc::io : Errc::crypto, "creating a device key", s);
}

/// Prekeys follow this id, so that they never replace a device key.
constexpr psa_key_id_t prekey_base = 0x0100'0000;

std::string prekey_file(std::uint32_t number) { return sealcam::format("{:016x}.psa_its", prekey_base + number); }

}  // namespace

Result<KeyStore> KeyStore::open(const std::filesystem::path& folder) {
  std::error_code ec;
  const auto absolute = std::filesystem::canonical(folder, ec);
  if (ec)
    return fail(ec == std::errc::permission_denied ? Errc::permission : Errc::not_found, "key folder", ec.value());
  auto lock = lock_folder(absolute);
  if (!lock) return std::unexpected(lock.error());
  if (::chdir(absolute.c_str()) != 0)
    return fail(errno == EACCES ? Errc::permission : Errc::io, "changing to the key folder", errno);
  if (auto r = init(); !r) return std::unexpected(r.error());
  return KeyStore(absolute, std::move(*lock));
}

Result<bool> KeyStore::has_device_keys() const {
  const bool record = present(folder_ / record_file);
  if (!record && present(folder_ / unfinished_file)) return false;
  if (!record && !present(folder_ / identity_file) && !present(folder_ / hpke_file)) return false;
  if (auto keys = device_keys(); !keys) {
    auto error = keys.error();
    error.code = Errc::malformed;
    return std::unexpected(error);
  }
  return true;
}

Result<DeviceKeys> KeyStore::device_keys() const {
  const bool any = present(folder_ / record_file) || present(folder_ / identity_file) || present(folder_ / hpke_file);
  const bool unfinished = present(folder_ / unfinished_file) && !present(folder_ / record_file);
  if (!any || unfinished) return fail(Errc::not_found, "this device has no keys");
  const auto damaged = [this](const char* file) {
    return std::unexpected(located(
        {Errc::malformed, 0,
         "a file of the device keys is missing or damaged: restore the state folder from a copy, or reset it to "
         "start as a new device"},
        (folder_ / file).native()));
  };
  const auto record = read_file(folder_ / record_file, sizeof(Record));
  if (!record) return damaged(record_file);
  const auto identity = stored_key(identity_id, policy::signing());
  if (!identity) return damaged(identity_file);
  const auto hpke = stored_key(hpke_id, policy::agreement());
  if (!hpke) return damaged(hpke_file);
  if (!equal(*record, record_of(*identity, *hpke))) return damaged(record_file);
  return handles(*identity, *hpke);
}

Result<DeviceKeys> KeyStore::make_device_keys(Exportable identity) { return make(identity, nullptr); }

Result<DeviceKeys> KeyStore::restore_device_keys(const Secret<32>& identity) {
  // Rejects a bad scalar before the first write.
  if (auto r = import_signing_key(identity); !r) return std::unexpected(r.error());
  return make(Exportable::yes, &identity);
}

Result<DeviceKeys> KeyStore::make(Exportable exportable, const Secret<32>* identity) {
  const auto has = has_device_keys();
  if (!has) return std::unexpected(has.error());
  if (*has) return fail(Errc::exists, "this device has keys");
  if (auto r = write_file_durably(folder_ / unfinished_file, {}); !r)
    return fail(Errc::io, r.error().what, r.error().native);
  if (auto r = remove_keys(); !r) return std::unexpected(r.error());

  auto attributes = policy::signing();
  if (exportable == Exportable::yes)
    psa_set_key_usage_flags(&attributes, psa_get_key_usage_flags(&attributes) | PSA_KEY_USAGE_EXPORT);
  if (auto r = create(attributes, identity_id, identity); !r) return std::unexpected(r.error());
  if (auto r = create(policy::agreement(), hpke_id, nullptr); !r) return std::unexpected(r.error());
  if (auto r = sync_folder(folder_); !r) return std::unexpected(r.error());

  const auto identity_public = stored_key(identity_id, policy::signing());
  if (!identity_public) return std::unexpected(identity_public.error());
  const auto hpke_public = stored_key(hpke_id, policy::agreement());
  if (!hpke_public) return std::unexpected(hpke_public.error());
  if (auto r = write_file_durably(folder_ / record_file, record_of(*identity_public, *hpke_public)); !r)
    return fail(Errc::io, r.error().what, r.error().native);
  // The record shows that the keys are complete, so the mark may stay if it cannot be deleted.
  ::unlink((folder_ / unfinished_file).c_str());
  return handles(*identity_public, *hpke_public);
}

Result<Secret<32>> KeyStore::export_identity() const {
  if (const auto keys = device_keys(); !keys) return std::unexpected(keys.error());
  Secret<32> scalar;
  std::size_t size = 0;
  const auto s = psa_export_key(identity_id, c_bytes(MutableBytes(scalar.fill())), scalar.size(), &size);
  if (s == PSA_ERROR_NOT_PERMITTED) return fail(Errc::permission, "identity key is not exportable", s);
  if (s != PSA_SUCCESS || size != scalar.size()) return fail(Errc::crypto, "exporting the identity key", s);
  return scalar;
}

Result<> KeyStore::destroy_device_keys() {
  if (auto r = write_file_durably(folder_ / unfinished_file, {}); !r)
    return fail(Errc::io, r.error().what, r.error().native);
  if (auto r = remove_file(folder_ / record_file); !r) return r;
  if (auto r = sync_folder(folder_); !r) return r;
  if (auto r = remove_keys(); !r) return r;
  if (auto r = remove_file(folder_ / unfinished_file); !r) return r;
  return sync_folder(folder_);
}

Result<> KeyStore::remove_keys() const {
  // PSA removes its loaded keys. It does not delete the file of an unreadable key.
  psa_destroy_key(identity_id);
  psa_destroy_key(hpke_id);
  for (const char* name : {identity_file, hpke_file, temporary_file})
    if (auto r = remove_file(folder_ / name); !r) return r;
  return sync_folder(folder_);
}

Result<AgreementKey> KeyStore::make_prekey(std::uint32_t number) const {
  SC_ASSERT(number >= 1 && number <= max_prekey);
  if (auto r = destroy_prekey(number); !r) return std::unexpected(r.error());
  const PrivateUmask files_are_private;
  if (auto r = create(policy::agreement(), prekey_base + number, nullptr); !r) return std::unexpected(r.error());
  if (auto r = sync_folder(folder_); !r) return std::unexpected(r.error());
  return prekey(number);
}

Result<AgreementKey> KeyStore::prekey(std::uint32_t number) const {
  SC_ASSERT(number >= 1 && number <= max_prekey);
  const auto key = stored_key(prekey_base + number, policy::agreement());
  if (!key) return std::unexpected(key.error());
  return AgreementKey(prekey_base + number, *key);
}

Result<> KeyStore::destroy_prekey(std::uint32_t number) const {
  SC_ASSERT(number >= 1 && number <= max_prekey);
  const auto file = folder_ / prekey_file(number);
  const bool existed = present(file);
  psa_destroy_key(prekey_base + number);
  if (!existed) return {};
  if (auto r = remove_file(file); !r) return r;  // PSA does not delete the file of an unreadable key
  return sync_folder(folder_);
}

Result<std::vector<std::uint32_t>> KeyStore::prekeys() const {
  std::vector<std::uint32_t> numbers;
  std::error_code ec;
  for (std::filesystem::directory_iterator it(folder_, ec), end; !ec && it != end; it.increment(ec)) {
    const auto name = it->path().filename().string();
    std::uint64_t id = 0;
    const auto [stop, error] =
        std::from_chars(name.data(), name.data() + std::min<std::size_t>(name.size(), 16), id, 16);
    if (error != std::errc{} || std::string_view(stop, name.data() + name.size()) != ".psa_its") continue;
    if (id > prekey_base && id <= prekey_base + max_prekey)
      numbers.push_back(static_cast<std::uint32_t>(id - prekey_base));
  }
  if (ec) return fail(Errc::io, "listing the key folder", ec.value());
  std::ranges::sort(numbers);
  return numbers;
}

}  // namespace sealcam::crypto
