// SPDX-License-Identifier: Apache-2.0
/// All that the listener for phones answers, without sockets: the files of the app, and the mailbox for links. It has
/// no access to cameras, pictures, tokens or metrics, and neither sets nor reads cookies. Thread-bound.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "hub/phone/mailbox.hpp"
#include "hub/web/routes.hpp"
#include "transport/http_reader.hpp"

namespace sealcam::hub::phone {

/// The files of a folder, read into memory once. A request selects one by its exact name, so no path leads elsewhere.
/// If there is also NAME.gz, a client that accepts gzip receives it instead of NAME. They belong to one policy: ETags
/// and the service worker change with it, because browsers keep the headers of files that they know, such as the
/// policy.
class AppFiles {
 public:
  static constexpr std::size_t max_files = 256;
  static constexpr std::size_t max_file = std::size_t{1} << 20;
  static constexpr std::size_t max_total = std::size_t{8} << 20;
  static constexpr std::string_view service_worker = "sw.js";

  struct File {
    std::string content;
    std::string etag;  ///< RFC 9110 section 8.8.3, with quotes
  };

  /// Reads the files directly in the folder, except names that begin with a dot. Errors: not_found (the folder, or
  /// index.html in it), permission, io, invalid_argument (a name with other characters than letters, digits and "._-"),
  /// exhausted (too many or too large), crypto. `connect`: see policy_source().
  [[nodiscard]] static Result<AppFiles> read(const std::filesystem::path& folder, std::string_view connect);
  /// `path` begins with '/'; "/" is index.html. Null if there is no such file.
  [[nodiscard]] const File* find(std::string_view path) const;
  [[nodiscard]] const std::map<std::string, File, std::less<>>& all() const noexcept { return files_; }
  /// The Content-Security-Policy of all files.
  [[nodiscard]] const std::string& policy() const noexcept { return policy_; }

 private:
  std::map<std::string, File, std::less<>> files_;
  std::string policy_;
};

/// The address that the app may connect to besides its own, for its Content-Security-Policy. "wss:" (all) if the host
/// is none that a policy can name, such as an IPv6 address. `port`: empty permits each port of the host.
[[nodiscard]] std::string policy_source(std::string_view host, std::string_view port);

class Site {
 public:
  static constexpr std::string_view link_path = "/link/1/";
  static constexpr transport::HttpReader::Limits limits{.header = 16U << 10, .body = Mailbox::max_enrollment};

  /// `mailbox` outlives the site.
  Site(AppFiles files, Mailbox& mailbox) : files_(std::move(files)), mailbox_(mailbox) {}

  /// The answer to a complete request. Never fails.
  [[nodiscard]] web::Response answer(const transport::HttpReader& request);
  /// True if the request needs the check of a signature.
  [[nodiscard]] static bool opens_slot(const transport::HttpReader& request);
  [[nodiscard]] const AppFiles& files() const noexcept { return files_; }

 private:
  [[nodiscard]] web::Response file(const transport::HttpReader& request, std::string_view path) const;
  [[nodiscard]] web::Response link(const transport::HttpReader& request, std::string_view path);

  AppFiles files_;
  Mailbox& mailbox_;
};

/// The bytes of the answer (RFC 9112).
[[nodiscard]] std::string to_http(const transport::HttpReader& request, const web::Response& response);
/// The bytes of the answer to a request that the reader rejected. The connection ends after it.
[[nodiscard]] std::string to_http(const transport::HttpReader::Fault& fault);

}  // namespace sealcam::hub::phone
