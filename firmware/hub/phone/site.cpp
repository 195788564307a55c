// SPDX-License-Identifier: Apache-2.0
#include "hub/phone/site.hpp"

#include <algorithm>
#include <ranges>

#include "base/file.hpp"
#include "base/format.hpp"
#include "crypto/psa.hpp"

namespace sealcam::hub::phone {

namespace fs = std::filesystem;
using transport::HttpReader;
using web::plain;
using web::Request;
using web::Response;

namespace {

constexpr std::string_view cbor = "application/cbor";

bool is_file_name(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_';
  };
  return !name.empty() && name.size() <= 100 && name.front() != '.' && std::ranges::all_of(name, allowed);
}

/// The first half of SHA-256, in hexadecimal.
Result<std::string> hash_text(ByteView content) {
  const auto digest = crypto::sha256(content);
  if (!digest) return std::unexpected(digest.error());
  return to_hex(ByteView(*digest).first(16));
}

/// The service worker of one policy. With another policy it is another version, which loads all files with their new
/// headers (firmware/web/worker.js).
std::string worker_of(ByteView content, std::string_view policy_hash) {
  return sealcam::format("{}\npolicy = \"-{}\";\n", as_text(content), policy_hash);
}

/// Content-Security-Policy (W3C CSP 3) of the app: its own files, and the broker. Its policy of Trusted Types names the
/// service worker.
std::string policy_of(std::string_view connect) {
  return sealcam::format(
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self' {}; worker-src "
      "'self'; "
      "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for "
      "'script'; trusted-types sealcam",
      connect);
}

Request::Method method_of(const HttpReader& request) {
  return request.method() == "GET"    ? Request::Method::get
         : request.method() == "HEAD" ? Request::Method::head
                                      : Request::Method::other;
}

/// RFC 9110 section 12.5.3, for this one coding.
bool accepts_gzip(const HttpReader& request) {
  for (const auto& field : request.fields("Accept-Encoding")) {
    for (const auto part : std::views::split(std::string_view(field), ',')) {
      const std::string_view item(part.begin(), part.end());
      const auto name = item.substr(0, item.find(';'));
      const auto first = name.find_first_not_of(' ');
      if (first == std::string_view::npos || name.substr(first, name.find_last_not_of(' ') + 1 - first) != "gzip")
        continue;
      return !item.contains("q=0") || item.contains("q=0.");
    }
  }
  return false;
}

bool cross_site(const HttpReader& request) {
  Request parts;
  parts.fetch_sites = request.fields("Sec-Fetch-Site");
  return parts.cross_site();
}

Response status_only(unsigned status) {
  switch (status) {
    case 204: {
      auto response = plain(204, "");
      response.body.clear();
      return response;
    }
    case 400: return plain(400, "The message is empty.");
    case 403: return plain(403, "The owner of this hub did not sign this message for now.");
    case 404: return plain(404, "There is no such link, or it ended.");
    case 409: return plain(409, "This link was used before.");
    case 413: return plain(413, "The message is too large.");
    case 429: return plain(429, "Too many links are open. Wait for ten minutes.");
    default: return plain(500, "");
  }
}

}  // namespace

Result<AppFiles> AppFiles::read(const fs::path& folder, std::string_view connect) {
  AppFiles all;
  all.policy_ = policy_of(connect);
  const auto policy_hash = hash_text(as_bytes(all.policy_));
  if (!policy_hash) return std::unexpected(policy_hash.error());
  std::error_code ec;
  std::size_t total = 0;
  fs::directory_iterator entries(folder, ec);
  if (ec) return fail_errno("reading the folder of the app", folder, ec.value());
  for (const fs::directory_iterator end; entries != end; entries.increment(ec)) {
    const auto path = entries->path();
    const auto name = path.filename().string();
    if (name.starts_with('.') || !entries->is_regular_file(ec)) continue;
    if (!is_file_name(name))
      return std::unexpected(
          located({Errc::invalid_argument, 0, "a file of the app has an invalid name"}, path.native()));
    auto content = read_file(path, max_file);
    if (!content) return std::unexpected(content.error());
    total += content->size();
    if (total > max_total || all.files_.size() >= max_files)
      return std::unexpected(
          located({Errc::exhausted, 0, "the app has more than 256 files or 8 MiB"}, folder.native()));
    const auto hash = hash_text(*content);
    if (!hash) return std::unexpected(hash.error());
    all.files_.emplace(name,
                       File{name == service_worker ? worker_of(*content, *policy_hash) : std::string(as_text(*content)),
                            sealcam::format("\"{}-{}\"", *hash, *policy_hash)});
  }
  if (ec) return fail_errno("reading the folder of the app", folder, ec.value());
  all.files_.erase(std::string(service_worker) + ".gz");  // the compressed one has no policy
  if (!all.files_.contains("index.html"))
    return std::unexpected(located({Errc::not_found, 0, "the folder of the app has no index.html"}, folder.native()));
  return all;
}

const AppFiles::File* AppFiles::find(std::string_view path) const {
  if (!path.starts_with('/')) return nullptr;
  const auto found = files_.find(path == "/" ? std::string_view("index.html") : path.substr(1));
  return found == files_.end() ? nullptr : &found->second;
}

std::string policy_source(std::string_view host, std::string_view port) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
  };
  const bool is_port = std::ranges::all_of(port, [](char c) { return c >= '0' && c <= '9'; });
  if (host.empty() || !is_port || !std::ranges::all_of(host, allowed)) return "wss:";
  return sealcam::format("wss://{}:{}", host, port.empty() ? "*" : port);
}

bool Site::opens_slot(const HttpReader& request) {
  const auto path = web::path_of(request.target());  // as in answer()
  return request.method() == "PUT" && path.starts_with(link_path) && !path.substr(link_path.size()).contains('/');
}

Response Site::answer(const HttpReader& request) {
  if (request.fields("Host").size() != 1)  // RFC 9112 section 3.2
    return plain(400, "The request needs exactly one field Host.");
  const auto path = web::path_of(request.target());
  return path.starts_with(link_path) ? link(request, path.substr(link_path.size())) : file(request, path);
}

Response Site::file(const HttpReader& request, std::string_view path) const {
  if (method_of(request) == Request::Method::other || !request.body().empty())
    return web::method_rejection("GET, HEAD", "This address accepts only GET and HEAD, without a body.");
  const auto name = path == "/" ? std::string_view("/index.html") : path;
  const auto* const plain_file = files_.find(name);
  if (plain_file == nullptr) return plain(404, "The app has no file with this address.");
  const auto* const compressed = files_.find(std::string(name) + ".gz");
  const bool gzip = compressed != nullptr && accepts_gzip(request);
  const auto* const found = gzip ? compressed : plain_file;
  const auto known = request.fields("If-None-Match");
  const bool same = known.size() == 1 && known[0] == found->etag;
  auto response = web::page_response(name, same ? "" : found->content, files_.policy());
  if (same) response.status = 304;
  response.set("Cache-Control", "no-cache");  // the browser keeps the file and checks each time whether it changed
  response.set("ETag", found->etag);
  if (compressed != nullptr) response.set("Vary", "Accept-Encoding");
  if (gzip) response.set("Content-Encoding", "gzip");
  return response;
}

Response Site::link(const HttpReader& request, std::string_view path) {
  const auto slash = path.find('/');
  const auto slot = protocol::parse_link_slot(path.substr(0, slash));
  const auto name = slash == std::string_view::npos ? std::string_view() : path.substr(slash);
  if (!slot || (!name.empty() && name != "/descriptor" && name != "/enrollment"))
    return plain(404, "There is no such link, or it ended.");
  const bool opening = name.empty();
  const auto part = name == "/descriptor" ? Mailbox::Part::descriptor : Mailbox::Part::enrollment;
  // The phone creates its descriptor once; the owner's program replaces nothing either, but its path has no other form.
  const std::string_view writes = part == Mailbox::Part::descriptor && !opening ? "POST" : "PUT";
  const bool reads = request.method() == "GET" && !opening;
  if (!reads && request.method() != writes)
    return web::method_rejection(opening ? "PUT" : sealcam::format("GET, {}", writes),
                                 "This address has no such method.");
  // A page of another site can send neither PUT nor this type without the consent of the server (W3C Fetch, CORS).
  if (cross_site(request)) return plain(403, "Only the app of this address may use it.");
  if (reads) {
    const auto answer = mailbox_.get(*slot, part);
    return answer.status == 200 ? web::respond_with(200, cbor, std::string(as_text(answer.body)))
                                : status_only(answer.status);
  }
  if (const auto types = request.fields("Content-Type"); types.size() != 1 || types[0] != cbor)
    return plain(415, "The message must have the type application/cbor.");
  const auto body = as_bytes(request.body());
  return status_only(opening ? mailbox_.open(*slot, body) : mailbox_.put(*slot, part, body));
}

std::string to_http(const HttpReader& request, const Response& response) {
  Request form;
  form.method = method_of(request);
  form.http_1_0 = request.http_1_0();
  form.keep_alive = request.keep_alive();
  return web::to_http(form, response);
}

std::string to_http(const HttpReader::Fault& fault) {
  Request form;
  form.keep_alive = false;
  return web::to_http(form, plain(fault.status, fault.text));
}

}  // namespace sealcam::hub::phone
