// SPDX-License-Identifier: Apache-2.0
#include "hal/ffmpeg/support.hpp"

#include <array>
#include <cstdarg>
#include <cstdio>
#include <mutex>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavutil/error.h>
#include <libavutil/log.h>
#include <libswscale/swscale.h>
}

namespace sealcam::hal::ffmpeg {

namespace {

thread_local std::string* sink = nullptr;

void on_log(void* /*context*/, int level, const char* format, va_list arguments) noexcept {
  if (level > AV_LOG_WARNING || sink == nullptr || !sink->empty()) return;
  std::array<char, 256> text;
  const int n = std::vsnprintf(text.data(), text.size(), format, arguments);
  if (n <= 0) return;
  *sink = text.data();
  while (!sink->empty() && (sink->back() == '\n' || sink->back() == '.')) sink->pop_back();
}

}  // namespace

LogCapture::LogCapture() {
  static std::once_flag once;
  std::call_once(once, [] { av_log_set_callback(on_log); });
  sink = &line_;
}

LogCapture::~LogCapture() { sink = nullptr; }

std::unexpected<Error> av_fail(int averror, Errc fallback, const char* what) noexcept {
  Errc code = fallback;
  if (averror == AVERROR(ENOMEM)) code = Errc::no_memory;
  if (averror == AVERROR(EACCES) || averror == AVERROR(EPERM)) code = Errc::permission;
  if (averror == AVERROR(ENODEV)) code = Errc::device_lost;
  if (averror == AVERROR_INVALIDDATA) code = Errc::malformed;
  // Other numbers of FFmpeg are tags that tell a person nothing.
  return fail(code, what, averror > -256 ? averror : 0);
}

std::string av_text(int averror) {
  std::array<char, AV_ERROR_MAX_STRING_SIZE> text{};
  av_strerror(averror, text.data(), text.size());
  return text.data();
}

std::vector<std::string> h264_encoders() {
  std::vector<std::string> names;
  for (const char* name : {"h264_v4l2m2m", "libx264", "libopenh264"})
    if (avcodec_find_encoder_by_name(name) != nullptr) names.emplace_back(name);
  return names;
}

void Deleter::operator()(AVCodecContext* p) const noexcept { avcodec_free_context(&p); }
void Deleter::operator()(AVFrame* p) const noexcept { av_frame_free(&p); }
void Deleter::operator()(AVPacket* p) const noexcept { av_packet_free(&p); }
void Deleter::operator()(SwsContext* p) const noexcept { sws_freeContext(p); }

}  // namespace sealcam::hal::ffmpeg
