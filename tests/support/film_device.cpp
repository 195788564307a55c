// SPDX-License-Identifier: Apache-2.0
/// A library for LD_PRELOAD with one V4L2 sensor, /dev/film. It delivers the pictures of the file $SEALCAM_FILM (NV12,
/// 1920x1080), 30 per second, forward and backward in turns. A child process is the sensor, so that its processor time
/// does not count as that of the program. The descriptor of the device is one end of a socket to it: the program sends
/// the numbers of free buffers, the sensor those of full ones. The buffers are a memory file.
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <deque>
#include <string_view>

namespace {

constexpr std::uint32_t width = 1920, height = 1080, picture_size = width * height * 3 / 2, max_buffers = 8;
constexpr std::uint32_t buffer_size = (picture_size + 4095) / 4096 * 4096;  // whole pages
constexpr std::int64_t second = 1'000'000'000, interval = second / 30;
constexpr std::uint32_t stream_on = 1000, stream_off = 1001;  // commands, beside the numbers of buffers

struct Full {
  std::uint32_t buffer, sequence;
  std::int64_t time;
};

std::atomic<int> device = -1, memory = -1;

std::int64_t now() noexcept {
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * second + t.tv_nsec;
}

/// Runs in the child until the program closes the device.
[[noreturn]] void run_sensor(int socket, int buffers, int film) {
  struct stat status{};
  ::fstat(film, &status);
  const auto count = static_cast<std::uint32_t>(status.st_size / picture_size);
  const auto map = [](int fd, std::size_t size, int access) {
    return static_cast<std::uint8_t*>(::mmap(nullptr, size, access, MAP_SHARED, fd, 0));
  };
  const auto* const pictures = map(film, static_cast<std::size_t>(status.st_size), PROT_READ);
  auto* const memory_of_buffers = map(buffers, std::size_t{buffer_size} * max_buffers, PROT_READ | PROT_WRITE);
  std::deque<std::uint32_t> free;
  bool on = false;
  std::int64_t due = now();
  for (std::uint32_t sequence = 0;;) {
    pollfd wait{socket, POLLIN, 0};
    const timespec left{0, std::clamp<std::int64_t>(due - now(), 0, interval)};
    if (::ppoll(&wait, 1, &left, nullptr) > 0) {
      std::uint32_t command = 0;
      if (::recv(socket, &command, sizeof command, 0) <= 0) ::_exit(0);
      if (command == stream_on || command == stream_off) on = command == stream_on;
      else free.push_back(command);
      if (command != stream_off) continue;
      free.clear();
      const Full answer{stream_off, 0, 0};
      ::send(socket, &answer, sizeof answer, 0);
    }
    if (now() < due) continue;
    due += interval;
    const std::uint32_t number = sequence++;
    if (!on || free.empty() || count < 2) continue;
    const auto at = number % (2 * count - 2);
    const Full full{free.front(), number, now()};
    free.pop_front();
    std::memcpy(memory_of_buffers + std::size_t{full.buffer} * buffer_size,
                pictures + std::size_t{at < count ? at : 2 * count - 2 - at} * picture_size, picture_size);
    ::send(socket, &full, sizeof full, 0);
  }
}

int open_device(int flags) {
  const char* const file = ::getenv("SEALCAM_FILM");
  const int film = file == nullptr ? -1 : static_cast<int>(::syscall(SYS_openat, AT_FDCWD, file, O_RDONLY | O_CLOEXEC));
  if (film < 0 || device >= 0) return -1;
  int ends[2];
  const int buffers = ::memfd_create("film", MFD_CLOEXEC);
  if (buffers < 0 || ::ftruncate(buffers, std::int64_t{buffer_size} * max_buffers) != 0) return -1;
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return -1;
  if (::fork() == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    // The program's other descriptors must not stay open in the child.
    const int kept[] = {::fcntl(ends[1], F_DUPFD, 1000), ::fcntl(buffers, F_DUPFD, 1001), ::fcntl(film, F_DUPFD, 1002)};
    ::close_range(3, 999, 0);
    run_sensor(kept[0], kept[1], kept[2]);
  }
  ::close(ends[1]);
  ::close(film);
  if ((flags & O_NONBLOCK) != 0) ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  memory = buffers;
  return device = ends[0];
}

int close_device() {
  ::syscall(SYS_close, memory.exchange(-1));
  return static_cast<int>(::syscall(SYS_close, device.exchange(-1)));
}

int no(int error) {
  errno = error;
  return -1;
}

int send_command(std::uint32_t command) {
  return ::send(device, &command, sizeof command, MSG_NOSIGNAL) == sizeof command ? 0 : no(ENODEV);
}

void fill_format(v4l2_pix_format& pix) {
  pix = {};
  pix.width = width;
  pix.height = height;
  pix.pixelformat = V4L2_PIX_FMT_NV12;
  pix.field = V4L2_FIELD_NONE;
  pix.bytesperline = width;
  pix.sizeimage = picture_size;
  pix.colorspace = V4L2_COLORSPACE_REC709;
}

int dequeue(v4l2_buffer& b) {
  Full full{};
  const auto size = ::recv(device, &full, sizeof full, 0);
  if (size != sizeof full) return size == 0 ? no(ENODEV) : -1;
  b.index = full.buffer;
  b.bytesused = b.length = picture_size;
  b.sequence = full.sequence;
  b.flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
  b.timestamp = {full.time / second, full.time % second / 1000};
  return 0;
}

int stop_stream() {
  if (send_command(stream_off) != 0) return -1;
  for (Full full{};;) {
    pollfd wait{device, POLLIN, 0};
    ::poll(&wait, 1, -1);
    if (::recv(device, &full, sizeof full, 0) != sizeof full || full.buffer == stream_off) return 0;
  }
}

int control(unsigned long request, void* argument) {
  switch (request) {
    case VIDIOC_QUERYCAP: {
      auto& c = *static_cast<v4l2_capability*>(argument);
      c = {};
      std::strcpy(reinterpret_cast<char*>(c.driver), "film");
      std::strcpy(reinterpret_cast<char*>(c.card), "Film");
      std::strcpy(reinterpret_cast<char*>(c.bus_info), "test:film");
      c.device_caps = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
      c.capabilities = c.device_caps | V4L2_CAP_DEVICE_CAPS;
      return 0;
    }
    case VIDIOC_ENUMINPUT: return static_cast<v4l2_input*>(argument)->index == 0 ? 0 : no(EINVAL);
    case VIDIOC_G_INPUT: *static_cast<int*>(argument) = 0; return 0;
    case VIDIOC_S_INPUT: return 0;
    case VIDIOC_ENUM_FMT: {
      auto& f = *static_cast<v4l2_fmtdesc*>(argument);
      if (f.index > 0 || f.type != V4L2_BUF_TYPE_VIDEO_CAPTURE) return no(EINVAL);
      f.pixelformat = V4L2_PIX_FMT_NV12;
      return 0;
    }
    case VIDIOC_ENUM_FRAMESIZES: {
      auto& s = *static_cast<v4l2_frmsizeenum*>(argument);
      if (s.index > 0) return no(EINVAL);
      s.type = V4L2_FRMSIZE_TYPE_DISCRETE;
      s.discrete = {width, height};
      return 0;
    }
    case VIDIOC_ENUM_FRAMEINTERVALS: {
      auto& i = *static_cast<v4l2_frmivalenum*>(argument);
      if (i.index > 0) return no(EINVAL);
      i.type = V4L2_FRMIVAL_TYPE_DISCRETE;
      i.discrete = {1, 30};
      return 0;
    }
    case VIDIOC_G_FMT:
    case VIDIOC_TRY_FMT:
    case VIDIOC_S_FMT: fill_format(static_cast<v4l2_format*>(argument)->fmt.pix); return 0;
    case VIDIOC_G_PARM:
    case VIDIOC_S_PARM: {
      auto& p = static_cast<v4l2_streamparm*>(argument)->parm.capture;
      p.capability = V4L2_CAP_TIMEPERFRAME;
      p.timeperframe = {1, 30};
      return 0;
    }
    case VIDIOC_REQBUFS: {
      auto& r = *static_cast<v4l2_requestbuffers*>(argument);
      if (r.memory != V4L2_MEMORY_MMAP) return no(EINVAL);
      r.count = std::min(r.count, max_buffers);
      return 0;
    }
    case VIDIOC_QUERYBUF: {
      auto& b = *static_cast<v4l2_buffer*>(argument);
      b.length = picture_size;
      b.m.offset = b.index * buffer_size;
      return 0;
    }
    case VIDIOC_QBUF: return send_command(static_cast<v4l2_buffer*>(argument)->index);
    case VIDIOC_DQBUF: return dequeue(*static_cast<v4l2_buffer*>(argument));
    case VIDIOC_STREAMON: return send_command(stream_on);
    case VIDIOC_STREAMOFF: return stop_stream();
    default: return no(ENOTTY);
  }
}

bool is_device(int fd) { return fd >= 0 && fd == device; }

void* map(void* start, std::size_t length, int access, int flags, int fd, std::int64_t offset) {
  if (is_device(fd)) fd = memory;
  return reinterpret_cast<void*>(::syscall(SYS_mmap, start, length, access, flags, fd, offset));
}

int open_any(const char* path, int flags, unsigned mode) {
  if (std::string_view(path) == "/dev/film") return open_device(flags);
  return static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, flags, mode));
}

}  // namespace

extern "C" {
#pragma GCC visibility push(default)

int open(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const unsigned mode = va_arg(more, unsigned);
  va_end(more);
  return open_any(path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const unsigned mode = va_arg(more, unsigned);
  va_end(more);
  return open_any(path, flags, mode);
}

int ioctl(int fd, unsigned long request, ...) noexcept {
  va_list more;
  va_start(more, request);
  void* const argument = va_arg(more, void*);
  va_end(more);
  return is_device(fd) ? control(request, argument) : static_cast<int>(::syscall(SYS_ioctl, fd, request, argument));
}

void* mmap(void* start, std::size_t length, int access, int flags, int fd, off_t offset) noexcept {
  return map(start, length, access, flags, fd, offset);
}
void* mmap64(void* start, std::size_t length, int access, int flags, int fd, off64_t offset) noexcept {
  return map(start, length, access, flags, fd, offset);
}
int close(int fd) { return is_device(fd) ? close_device() : static_cast<int>(::syscall(SYS_close, fd)); }

// libv4l2, which calls the kernel without these functions.
int v4l2_fd_open(int fd, int) { return fd; }
int v4l2_ioctl(int, unsigned long request, ...) {
  va_list more;
  va_start(more, request);
  void* const argument = va_arg(more, void*);
  va_end(more);
  return control(request, argument);
}
void* v4l2_mmap(void* start, std::size_t length, int access, int flags, int fd, std::int64_t offset) {
  return map(start, length, access, flags, fd, offset);
}
int v4l2_munmap(void* start, std::size_t length) { return ::munmap(start, length); }
int v4l2_close(int) { return close_device(); }

#pragma GCC visibility pop
}  // extern "C"
