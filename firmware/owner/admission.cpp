// SPDX-License-Identifier: Apache-2.0
#include "owner/admission.hpp"

#include <algorithm>
#include <format>

#include "core/file.hpp"
#include "owner/patience.hpp"
#include "transport/certificate.hpp"

namespace sealcam::owner {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t largest_block = 4096;
constexpr std::size_t largest_own = 1U << 20;
constexpr std::size_t largest_pem = 16U << 10;

fs::path block_path(const BrokerFiles& files, const DeviceId& device) {
  return files.access_blocks() / device.to_string();
}

Outcome<Admitted> read_block(const fs::path& path) {
  const auto text = read(path, largest_block);
  if (!text) return std::unexpected(text.error());
  const auto who = parse_access_block(as_text(*text));
  if (!who || who->device.to_string() != path.filename().string())
    return failure(EX_CONFIG,
                   std::format("{} was changed by hand. Delete it and admit the device again", path.string()));
  return *who;
}

Outcome<> write_access_list(const BrokerFiles& files) {
  auto everybody = list_admitted(files);
  if (!everybody) return std::unexpected(everybody.error());
  auto text = access_list(std::move(*everybody));
  if (const auto own = read_file(files.own_access(), largest_own); own) text += as_text(*own);
  else if (own.error().code != Errc::not_found) return failure(own.error(), files.own_access().string());
  return write(files.access_list(), as_bytes(text));
}

/// The statement is about this request, and by whom it says.
Outcome<Admitted> check(std::string_view request_pem, ByteView admission) {
  const auto statement = protocol::decode_admission(admission);
  if (!statement) return failure(statement.error(), "The owner's admission is not valid");
  const auto name = transport::requested_name(request_pem);
  if (!name) return failure(name.error(), "The certificate request is not valid");
  if (*name != statement->device.to_string())
    return failure(EX_NOPERM, std::format("The admission is for device {}, the request for {}",
                                          statement->device.to_string(), *name));
  const auto key = transport::requested_key(request_pem);
  if (!key) return failure(key.error(), "The certificate request is not valid");
  if (!equal(*key, statement->tls.bytes()))
    return failure(EX_NOPERM, "The request carries another key than the one the owner vouches for");
  const Admitted who{statement->role, statement->device, statement->owner.account()};
  const bool names_the_owner = who.device == owner_of(who.account);
  if ((who.role == protocol::Role::owner) != names_the_owner)
    return failure(EX_NOPERM, "Only the account's own key is admitted as owner");
  return who;
}

Outcome<> not_anothers(const BrokerFiles& files, const Admitted& who) {
  std::error_code ec;
  const auto path = block_path(files, who.device);
  if (!fs::exists(path, ec)) return {};
  const auto before = read_block(path);
  if (!before) return std::unexpected(before.error());
  if (before->account == who.account) return {};
  return failure(
      EX_NOPERM,
      std::format("Device {} is admitted for account {}. The operator expels it first: sealcam broker expel {} {}",
                  who.device.to_string(), before->account.to_string(), files.folder.string(), who.device.to_string()));
}

Outcome<std::string> sign(const BrokerFiles& files, std::string_view request_pem, const Admitted& who) {
  auto key_pem = read(files.authority_key(), largest_pem);
  if (!key_pem) return std::unexpected(key_pem.error());
  const auto key = transport::TlsKey::from_pem(*key_pem);
  wipe(*key_pem);
  if (!key) return failure(key.error(), files.authority_key().string());
  const auto authority = read(files.authority(), largest_pem);
  if (!authority) return std::unexpected(authority.error());
  auto certificate = transport::sign_request(as_text(*authority), *key, request_pem, who.device.to_string(),
                                             transport::CertificateUse::client, {});
  if (!certificate) return failure(certificate.error(), "Signing the certificate");
  return std::move(*certificate);
}

}  // namespace

Outcome<AdmittedDevice> admit(const BrokerFiles& files, std::string_view request_pem, ByteView admission) {
  if (auto r = read_broker(files); !r) return std::unexpected(r.error());
  const auto who = check(request_pem, admission);
  if (!who) return std::unexpected(who.error());
  const auto lock = patiently([&] { return lock_folder(files.folder); });
  if (!lock) return failure(lock.error(), files.folder.string());
  if (auto r = not_anothers(files, *who); !r) return std::unexpected(r.error());
  auto certificate = sign(files, request_pem, *who);
  if (!certificate) return std::unexpected(certificate.error());
  if (auto r = write(block_path(files, who->device), as_bytes(access_block(*who))); !r)
    return std::unexpected(r.error());
  if (auto r = write_access_list(files); !r) return std::unexpected(r.error());
  return AdmittedDevice{*who, std::move(*certificate), reload_broker(files)};
}

Outcome<Admitted> check_admission(const BrokerFiles& files, std::string_view request_pem, ByteView admission) {
  auto who = check(request_pem, admission);
  if (!who) return who;
  if (auto r = not_anothers(files, *who); !r) return std::unexpected(r.error());
  return who;
}

Outcome<bool> expel(const BrokerFiles& files, const DeviceId& device) {
  if (auto r = read_broker(files); !r) return std::unexpected(r.error());
  const auto lock = patiently([&] { return lock_folder(files.folder); });
  if (!lock) return failure(lock.error(), files.folder.string());
  std::error_code ec;
  if (!fs::remove(block_path(files, device), ec))
    return failure(EX_NOINPUT, std::format("Device {} is not admitted. See them: sealcam broker list {}",
                                           device.to_string(), files.folder.string()));
  // Durable before the list is made of what is left, or a power cut could bring the block back.
  if (auto r = sync_folder(files.access_blocks()); !r) return failure(r.error(), files.access_blocks().string());
  if (auto r = write_access_list(files); !r) return std::unexpected(r.error());
  return reload_broker(files);
}

Outcome<std::vector<Admitted>> list_admitted(const BrokerFiles& files) {
  if (auto r = read_broker(files); !r) return std::unexpected(r.error());
  std::vector<Admitted> everybody;
  std::error_code ec;
  for (fs::directory_iterator it(files.access_blocks(), ec), end; !ec && it != end; it.increment(ec)) {
    if (!DeviceId::parse(it->path().filename().string())) continue;  // a temporary file of an interrupted write
    const auto who = read_block(it->path());
    if (!who) return std::unexpected(who.error());
    everybody.push_back(*who);
  }
  if (ec) return failure(EX_IOERR, std::format("{}: {}", files.access_blocks().string(), ec.message()));
  std::ranges::sort(everybody, {}, &Admitted::device);
  return everybody;
}

}  // namespace sealcam::owner
