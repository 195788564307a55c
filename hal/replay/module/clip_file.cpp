// SPDX-License-Identifier: Apache-2.0
#include "hal/replay/module/clip_file.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <utility>

extern "C" {
#include <libavformat/avformat.h>
#include <libavutil/mem.h>
}

namespace sealcam::hal::replay {

Orientation orientation_of(std::span<const std::int32_t, 9> matrix) noexcept {
  // x' = a x + c y, y' = b x + d y
  const double a = matrix[0], b = matrix[1], c = matrix[3], d = matrix[4];
  if (std::abs(b) + std::abs(c) > std::abs(a) + std::abs(d)) return {true, c < 0, b < 0};
  return {false, a < 0, d < 0};
}

Rectangle fit(double width, double height, Size frame) noexcept {
  const auto even = [](double side, int max) {
    return std::clamp(static_cast<int>(std::lround(side / 2)) * 2, 2, max / 2 * 2);
  };
  Rectangle area{0, 0, frame};
  if (width * frame.height > height * frame.width) area.size.height = even(frame.width * height / width, frame.height);
  else area.size.width = even(frame.height * width / height, frame.width);
  area.left = (frame.width - area.size.width) / 4 * 2;
  area.top = (frame.height - area.size.height) / 4 * 2;
  return area;
}

void orient(const SamplePlane& from, const Orientation& orientation, int width, int height, std::uint8_t* to,
            std::ptrdiff_t stride) noexcept {
  // Bytes between neighbors of the result.
  std::ptrdiff_t across = orientation.transposed ? from.stride : 1;
  std::ptrdiff_t down = orientation.transposed ? 1 : from.stride;
  const std::uint8_t* first = from.data;
  if (orientation.mirror_x) {
    first += across * (width - 1);
    across = -across;
  }
  if (orientation.mirror_y) {
    first += down * (height - 1);
    down = -down;
  }
  constexpr int block = 32;  // samples of both sides then stay in the first cache
  for (int top = 0; top < height; top += block) {
    const int bottom = std::min(top + block, height);
    if (across == 1) {
      for (int y = top; y < bottom; ++y)
        std::memcpy(to + y * stride, first + y * down, static_cast<std::size_t>(width));
      continue;
    }
    for (int left = 0; left < width; left += block) {
      const int right = std::min(left + block, width);
      for (int y = top; y < bottom; ++y)
        for (int x = left; x < right; ++x) to[y * stride + x] = first[y * down + x * across];
    }
  }
}

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
  av_freep(static_cast<void*>(&io_->buffer));
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
  if (!seekable_ || avio_seek(io_, 0, SEEK_SET) < 0) return fail(Errc::io, "reading the clip again");
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
