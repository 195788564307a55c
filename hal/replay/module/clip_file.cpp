// SPDX-License-Identifier: Apache-2.0
#include "hal/replay/module/clip_file.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

extern "C" {
#include <libavformat/avformat.h>
#include <libavutil/mem.h>
}

namespace sealcam::hal::replay {

namespace {

constexpr int buffer_size = 64 << 10;
constexpr int poll_interval = 100;  // ms

std::unexpected<Error> open_error(int native) noexcept {
  if (native == ENOENT || native == ENOTDIR) return fail(Errc::not_found, "there is no such file");
  if (native == EACCES || native == EPERM) return fail(Errc::permission, "the camera may not read this file");
  return fail(Errc::io, "opening the file", native);
}

}  // namespace

ClipFile::ClipFile(UniqueFd fd, bool seekable, std::stop_token stop)
    : fd_(std::move(fd)), seekable_(seekable), stop_(std::move(stop)) {}

ClipFile::~ClipFile() {
  if (io_ == nullptr) return;
  av_freep(&io_->buffer);
  avio_context_free(&io_);
}

Result<std::unique_ptr<ClipFile>> ClipFile::open(const std::filesystem::path& path, std::stop_token stop) {
  // Without O_NONBLOCK, the call waits until a program writes to a FIFO.
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return open_error(errno);
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return open_error(errno);
  if (S_ISDIR(status.st_mode)) return fail(Errc::invalid_argument, "this is a folder; name a file in it");
  const bool regular = S_ISREG(status.st_mode);
  if (regular && status.st_size == 0) return fail(Errc::malformed, "the file is empty");
  std::unique_ptr<ClipFile> file(new ClipFile(std::move(fd), regular || S_ISBLK(status.st_mode), std::move(stop)));
  auto* const buffer = static_cast<unsigned char*>(av_malloc(buffer_size));
  if (buffer == nullptr) return fail(Errc::no_memory, "opening a recording");
  file->io_ = avio_alloc_context(buffer, buffer_size, 0, file.get(), read, nullptr, file->seekable_ ? seek : nullptr);
  if (file->io_ == nullptr) {
    av_free(buffer);
    return fail(Errc::no_memory, "opening a recording");
  }
  return file;
}

Result<> ClipFile::rewind() {
  if (!seekable_ || avio_seek(io_, 0, SEEK_SET) < 0) return fail(Errc::io, "reading the recording again");
  io_->eof_reached = 0;
  io_->error = 0;
  return {};
}

int ClipFile::read(void* self, std::uint8_t* out, int size) noexcept {
  const auto& file = *static_cast<ClipFile*>(self);
  for (;;) {
    if (file.stopped()) return AVERROR_EXIT;
    pollfd wait{file.fd_.get(), POLLIN, 0};
    const int events = ::poll(&wait, 1, poll_interval);
    if (events == 0 || (events < 0 && errno == EINTR)) continue;
    const auto count = ::read(file.fd_.get(), out, static_cast<std::size_t>(size));
    if (count > 0) return static_cast<int>(count);
    if (count == 0) return AVERROR_EOF;
    if (errno != EAGAIN && errno != EINTR) return AVERROR(errno);
  }
}

std::int64_t ClipFile::seek(void* self, std::int64_t offset, int whence) noexcept {
  const auto& file = *static_cast<ClipFile*>(self);
  if (whence == AVSEEK_SIZE) {
    struct stat status{};
    return ::fstat(file.fd_.get(), &status) == 0 && S_ISREG(status.st_mode) ? status.st_size : AVERROR(ENOSYS);
  }
  const auto position = ::lseek(file.fd_.get(), offset, whence & ~AVSEEK_FORCE);
  return position < 0 ? AVERROR(errno) : position;
}

}  // namespace sealcam::hal::replay
