// SPDX-License-Identifier: Apache-2.0
#include "pairing/display.hpp"

#include <qrencode.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "base/bytes.hpp"
#include "base/file.hpp"
#include "base/format.hpp"

namespace sealcam::pairing {

namespace {

constexpr int quiet_zone = 4;  // modules, ISO/IEC 18004 section 5.3.8

/// Under systemd, standard output is usually the journal (systemd.exec(5), $JOURNAL_STREAM). The journal is a log,
/// which must not contain the code.
bool stdout_is_the_journal() {
  const char* const stream = std::getenv("JOURNAL_STREAM");
  struct stat info{};
  if (stream == nullptr || ::fstat(STDOUT_FILENO, &info) != 0) return false;
  return sealcam::format("{}:{}", info.st_dev, info.st_ino) == stream;
}

std::filesystem::path file_in(std::filesystem::path path) {
  std::error_code ec;
  return std::filesystem::is_directory(path, ec) ? path / "pairing.txt" : path;
}

void print(const std::string& text) {
  if (stdout_is_the_journal()) return;
  (void)std::fwrite(text.data(), 1, text.size(), stdout);
  (void)std::fflush(stdout);
}

}  // namespace

Result<std::string> qr_code(std::string_view text) {
  if (text.empty()) return fail(Errc::invalid_argument, "a QR code needs text");
  const std::unique_ptr<QRcode, decltype(&QRcode_free)> code(
      QRcode_encodeString8bit(std::string(text).c_str(), 0, QR_ECLEVEL_M), &QRcode_free);
  if (!code) return fail(errno == ENOMEM ? Errc::no_memory : Errc::invalid_argument, "create a QR code", errno);
  const int width = code->width;
  const auto black = [&](int x, int y) {
    return x >= 0 && y >= 0 && x < width && y < width && (code->data[y * width + x] & 1) != 0;
  };
  std::string out;
  for (int y = -quiet_zone; y < width + quiet_zone; y += 2) {
    out += "\x1b[30;107m";  // black on white with all color schemes
    for (int x = -quiet_zone; x < width + quiet_zone; ++x) {
      const bool upper = black(x, y), lower = black(x, y + 1);
      out += upper && lower ? "\u2588" : upper ? "\u2580" : lower ? "\u2584" : " ";
    }
    out += "\x1b[0m\n";
  }
  return out;
}

Display::Display(std::filesystem::path file, Log& log)
    : file_(file.empty() ? std::move(file) : file_in(std::move(file))), log_(log) {}

Display::~Display() {
  wipe(std::as_writable_bytes(std::span(shown_)));
  remove_pairing_file(file_);
}

void Display::show(std::string_view pairing_string) {
  if (shown_ == pairing_string) return;
  shown_ = pairing_string;
  const auto code = qr_code(pairing_string);
  print(
      sealcam::format("\nThis device is unpaired. To pair it, run 'sealcam camera pair' or 'sealcam hub link' on the "
                      "owner's machine with\n\n    {}\n\n{}\n",
                      pairing_string, code.value_or("")));
  if (file_.empty()) return;
  if (auto r = write_file_durably(file_, as_bytes(sealcam::format("{}\n", pairing_string))); !r)
    log_.warning("{}", to_string(located(r.error(), file_.native())));
}

void Display::withdraw(std::string_view reason) {
  if (shown_.empty()) return;
  wipe(std::as_writable_bytes(std::span(shown_)));
  shown_.clear();
  remove_pairing_file(file_);
  print(sealcam::format("\n{}\n", reason));
}

void remove_pairing_file(const std::filesystem::path& file) {
  if (file.empty()) return;
  std::error_code ec;
  const auto path = file_in(file);
  if (std::filesystem::remove(path, ec)) (void)sync_folder(path.parent_path());
}

}  // namespace sealcam::pairing
