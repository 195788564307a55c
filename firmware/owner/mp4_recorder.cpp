// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "core/file.hpp"
#include "core/timeline.hpp"
#include "owner/recorder.hpp"

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/mem.h>
#include <libavutil/opt.h>
#include <unistd.h>
}

namespace sealcam::owner {

namespace {

constexpr AVRational microseconds{1, 1'000'000};
constexpr int buffer_size = 64 << 10;

struct FreeFormat {
  void operator()(AVFormatContext* context) const { avformat_free_context(context); }
};
struct FreePacket {
  void operator()(AVPacket* packet) const { av_packet_free(&packet); }
};
struct FreeIo {
  void operator()(AVIOContext* io) const {
    av_freep(&io->buffer);
    avio_context_free(&io);
  }
};

std::size_t start_code_at(ByteView bytes, std::size_t from) {
  for (auto i = from; i + 3 <= bytes.size(); ++i)
    if (bytes[i] == std::byte{0} && bytes[i + 1] == std::byte{0} && bytes[i + 2] == std::byte{1}) return i;
  return bytes.size();
}

/// SPS and PPS of a key picture with their start codes, in the order they stand there.
Bytes parameter_sets(ByteView unit) {
  constexpr unsigned sps = 7, pps = 8;
  Bytes out;
  for (auto at = start_code_at(unit, 0); at < unit.size();) {
    const auto next = start_code_at(unit, at + 3);
    auto nal = unit.subspan(at + 3, next - at - 3);
    while (next < unit.size() && !nal.empty() && nal.back() == std::byte{0}) nal = nal.first(nal.size() - 1);
    const unsigned type = nal.empty() ? 0 : std::to_integer<unsigned>(nal[0]) & 0x1fU;
    if (type == sps || type == pps) {
      for (const auto b : {0, 0, 0, 1}) out.push_back(static_cast<std::byte>(b));
      out.insert(out.end(), nal.begin(), nal.end());
    }
    at = next;
  }
  return out;
}

class Mp4Recorder final : public Recorder {
 public:
  explicit Mp4Recorder(UniqueFd file) : file_(std::move(file)) {}
  Mp4Recorder(const Mp4Recorder&) = delete;
  Mp4Recorder& operator=(const Mp4Recorder&) = delete;
  ~Mp4Recorder() override { (void)close(); }

 private:
  Result<> do_add(const Recordable& picture) override {
    if (!format_) {
      if (!picture.key) return fail(Errc::invalid_argument, "the first picture is not a key picture");
      if (auto r = begin(picture); !r) return r;
    }
    if (picture.width != width_ || picture.height != height_)
      return fail(Errc::unsupported, "an MP4 file has pictures of one size");
    const auto at = timeline_.next(picture.captured, picture.received);
    if (auto r = write_waiting(at); !r) return r;
    waiting_.assign(picture.access_unit.begin(), picture.access_unit.end());
    waiting_at_ = at;
    waiting_key_ = picture.key;
    return {};
  }
  Result<> do_finish() override { return close(); }

  Result<> begin(const Recordable& picture);
  Result<> write_waiting(std::chrono::microseconds next);
  Result<> close();
  static int write_out(void* self, const std::uint8_t* data, int size);
  static std::int64_t seek(void* self, std::int64_t offset, int whence);

  UniqueFd file_;
  std::unique_ptr<AVIOContext, FreeIo> io_;
  std::unique_ptr<AVFormatContext, FreeFormat> format_;
  std::unique_ptr<AVPacket, FreePacket> packet_;
  Timeline timeline_;
  std::uint16_t width_ = 0, height_ = 0;
  // One picture waits for the next, which tells how long it is shown.
  Bytes waiting_;
  std::chrono::microseconds waiting_at_{0}, last_step_{33'333};
  bool waiting_key_ = false;
  bool begun_ = false;
};

int Mp4Recorder::write_out(void* self, const std::uint8_t* data, int size) {
  const int fd = static_cast<Mp4Recorder*>(self)->file_.get();
  for (int done = 0; done < size;) {
    const auto n = ::write(fd, data + done, static_cast<std::size_t>(size - done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return AVERROR(errno);
    done += static_cast<int>(n);
  }
  return size;
}

std::int64_t Mp4Recorder::seek(void* self, std::int64_t offset, int whence) {
  if ((whence & AVSEEK_SIZE) != 0) return AVERROR(ENOSYS);
  const auto at = ::lseek(static_cast<Mp4Recorder*>(self)->file_.get(), offset, whence);
  return at < 0 ? AVERROR(errno) : at;
}

Result<> Mp4Recorder::begin(const Recordable& picture) {
  AVFormatContext* format = nullptr;
  if (const int e = avformat_alloc_output_context2(&format, nullptr, "mp4", nullptr); e < 0)
    return fail(Errc::no_memory, "starting the MP4 writer", e);
  format_.reset(format);
  auto* buffer = static_cast<unsigned char*>(av_malloc(buffer_size));
  packet_.reset(av_packet_alloc());
  if (buffer != nullptr) io_.reset(avio_alloc_context(buffer, buffer_size, 1, this, nullptr, &write_out, &seek));
  AVStream* stream = avformat_new_stream(format, nullptr);
  if (io_ == nullptr || packet_ == nullptr || stream == nullptr)
    return fail(Errc::no_memory, "starting the MP4 writer");
  format->pb = io_.get();

  auto& parameters = *stream->codecpar;
  parameters.codec_type = AVMEDIA_TYPE_VIDEO;
  parameters.codec_id = AV_CODEC_ID_H264;
  parameters.width = width_ = picture.width;
  parameters.height = height_ = picture.height;
  const auto sets = parameter_sets(picture.access_unit);
  if (sets.empty()) return fail(Errc::malformed, "a key picture without its parameter sets");
  parameters.extradata = static_cast<std::uint8_t*>(av_mallocz(sets.size() + AV_INPUT_BUFFER_PADDING_SIZE));
  if (parameters.extradata == nullptr) return fail(Errc::no_memory, "starting the MP4 writer");
  parameters.extradata_size = static_cast<int>(sets.size());
  std::ranges::copy(sets, reinterpret_cast<std::byte*>(parameters.extradata));
  stream->time_base = {1, 90'000};

  AVDictionary* options = nullptr;
  av_dict_set(&options, "movflags", "frag_keyframe+empty_moov+default_base_moof", 0);
  const int e = avformat_write_header(format, &options);
  av_dict_free(&options);
  if (e < 0) return fail(Errc::io, "writing the MP4 header", e);
  begun_ = true;
  return {};
}

Result<> Mp4Recorder::write_waiting(std::chrono::microseconds next) {
  if (waiting_.empty()) return {};
  last_step_ = next - waiting_at_;
  const auto* stream = format_->streams[0];
  if (const int e = av_new_packet(packet_.get(), static_cast<int>(waiting_.size())); e < 0)
    return fail(Errc::no_memory, "writing a picture", e);
  std::ranges::copy(waiting_, reinterpret_cast<std::byte*>(packet_->data));
  packet_->pts = packet_->dts = av_rescale_q(waiting_at_.count(), microseconds, stream->time_base);
  packet_->duration = av_rescale_q(next.count(), microseconds, stream->time_base) - packet_->pts;
  packet_->flags = waiting_key_ ? AV_PKT_FLAG_KEY : 0;
  packet_->stream_index = 0;
  waiting_.clear();
  const int e = av_write_frame(format_.get(), packet_.get());
  av_packet_unref(packet_.get());
  if (e < 0) return fail(Errc::io, "writing a picture", e);
  return {};
}

Result<> Mp4Recorder::close() {
  if (!std::exchange(begun_, false)) return {};
  auto result = write_waiting(waiting_at_ + last_step_);
  if (const int e = av_write_trailer(format_.get()); e < 0 && result)
    result = fail(Errc::io, "finishing the MP4 file", e);
  format_.reset();
  io_.reset();
  if (::fsync(file_.get()) != 0 && errno != EINVAL && result) result = fail(Errc::io, "finishing the MP4 file", errno);
  return result;
}

}  // namespace

Result<std::unique_ptr<Recorder>> record_mp4(const std::filesystem::path& path) {
  UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (file) return std::make_unique<Mp4Recorder>(std::move(file));
  const auto code = errno == EACCES || errno == EROFS ? Errc::permission : errno == ENOENT ? Errc::not_found : Errc::io;
  return fail(code, "creating the file", errno);
}

}  // namespace sealcam::owner
