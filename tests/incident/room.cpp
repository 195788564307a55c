// SPDX-License-Identifier: Apache-2.0
#include "room.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "base/format.hpp"
#include "canvas.hpp"

namespace sealcam::incident {
namespace {

constexpr int band = 44;  // mark and caption; gray, as the mark requires
constexpr int floor_at = 136;
constexpr int first_shown_minute = 19 * 60 + 40;  // UTC

constexpr std::array<std::string_view, 8> rooms{"bedroom", "nursery", "living room", "kitchen",
                                                "hallway", "study",   "playroom",    "terrace"};
struct Zone {
  std::string_view name;
  int minutes;
};
constexpr std::array zones{Zone{"UTC+8", 480},  Zone{"UTC+1", 60},     Zone{"UTC-5", -300}, Zone{"UTC+9", 540},
                           Zone{"UTC", 0},      Zone{"UTC+5:30", 330}, Zone{"UTC-8", -480}, Zone{"UTC+2", 120},
                           Zone{"UTC-3", -180}, Zone{"UTC+10", 600}};

/// Spreads neighboring numbers (the finalizer of SplitMix64).
std::uint64_t spread(std::uint64_t x) noexcept {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

struct Scene {
  Canvas& canvas;
  std::uint64_t dice;
  double hue;
  bool night;
  unsigned group;
  unsigned step;
};

struct LocalTime {
  int day, hour, minute;
};
LocalTime local_time(const Place& place, int day, unsigned group) noexcept {
  const int minute = day * 24 * 60 + first_shown_minute + place.offset_minutes + static_cast<int>(group) * 7;
  return {minute / (24 * 60), minute / 60 % 24, minute % 60};
}

void draw_walls(const Scene& s) {
  const double light = s.night ? 0.34 : 0.72;
  for (int y = band; y < floor_at; ++y)
    s.canvas.rectangle(0, y, picture_size.width, 1, from_hsl(s.hue, 0.34, light - 0.0012 * (y - band)));
  s.canvas.rectangle(0, floor_at, picture_size.width, picture_size.height - floor_at,
                     from_hsl(28 + static_cast<double>(s.dice >> 40 & 15), 0.3, s.night ? 0.2 : 0.42));
  for (int x = -20; x < picture_size.width; x += 46)
    s.canvas.rectangle(x, floor_at + 8, 44, 1, from_hsl(28, 0.3, s.night ? 0.16 : 0.36));
  s.canvas.rectangle(0, floor_at - 4, picture_size.width, 4, from_hsl(s.hue, 0.2, s.night ? 0.24 : 0.86));
}

void draw_window(const Scene& s) {
  const int x = 226 + static_cast<int>(s.dice >> 8 & 15);
  s.canvas.rectangle(x, 54, 70, 54, {238, 236, 230});
  s.canvas.rectangle(x + 4, 58, 62, 46, s.night ? Color{18, 26, 58} : Color{150, 200, 236});
  if (s.night) {
    s.canvas.ellipse(x + 44, 62, 12, 12, {244, 240, 206});
  } else {
    s.canvas.ellipse(x + 10, 66, 26, 9, {246, 250, 252});
    s.canvas.rectangle(x + 4, 94, 62, 10, {108, 158, 92});
  }
  s.canvas.rectangle(x + 33, 54, 4, 54, {238, 236, 230});
}

void draw_bed(const Scene& s, bool cot) {
  const Color wood = from_hsl(26, 0.45, s.night ? 0.22 : 0.36);
  const int width = cot ? 96 : 150;
  s.canvas.rectangle(14, 92, 7, 64, wood);
  s.canvas.rectangle(14 + width, 108, 7, 48, wood);
  s.canvas.rectangle(20, 122, width - 4, 26, {232, 228, 220});
  s.canvas.rectangle(50, 118, width - 36, 30, from_hsl(s.hue + 160, 0.45, s.night ? 0.3 : 0.52));
  s.canvas.ellipse(22, 112, 32, 14, {248, 246, 240});
  // A sleeping person.
  if (s.night || cot) s.canvas.ellipse(30, 104, 15, 15, {196, 150, 122});
  for (int x = 26; cot && x < 14 + width; x += 11) s.canvas.rectangle(x, 100, 3, 54, wood);
}

void draw_sofa(const Scene& s) {
  const Color cloth = from_hsl(s.hue + 190, 0.4, s.night ? 0.26 : 0.46);
  s.canvas.rectangle(18, 102, 140, 40, cloth);
  s.canvas.rectangle(10, 114, 18, 38, from_hsl(s.hue + 190, 0.4, s.night ? 0.2 : 0.38));
  s.canvas.rectangle(148, 114, 18, 38, from_hsl(s.hue + 190, 0.4, s.night ? 0.2 : 0.38));
  s.canvas.rectangle(28, 126, 120, 20, from_hsl(s.hue + 190, 0.38, s.night ? 0.32 : 0.56));
  // A sitting person, who moves with the group.
  const int x = 46 + static_cast<int>(s.group % 3) * 24;
  s.canvas.ellipse(x, 84, 16, 17, {206, 160, 130});
  s.canvas.rectangle(x - 5, 101, 26, 28, from_hsl(s.hue + 60, 0.5, 0.45));
}

void draw_table(const Scene& s) {
  const Color wood = from_hsl(30, 0.5, s.night ? 0.26 : 0.44);
  s.canvas.rectangle(20, 112, 150, 8, wood);
  s.canvas.rectangle(28, 120, 7, 42, wood);
  s.canvas.rectangle(155, 120, 7, 42, wood);
  s.canvas.ellipse(52, 98, 26, 14, from_hsl(s.hue + 120, 0.5, 0.55));
  s.canvas.rectangle(108, 92, 14, 20, {220, 224, 230});
}

void draw_lamp(const Scene& s) {
  s.canvas.rectangle(199, 96, 3, 58, {70, 66, 62});
  s.canvas.ellipse(186, 150, 30, 8, {70, 66, 62});
  const bool on = s.night || s.group % 2 == 1;
  s.canvas.ellipse(184, 78, 34, 24, on ? Color{252, 226, 150} : Color{186, 178, 160});
}

void draw_pet(const Scene& s) {
  const int x = 222 + static_cast<int>((s.group * 31 + s.step * 6 + (s.dice >> 20 & 31)) % 72);
  const Color fur = from_hsl(20 + static_cast<double>(s.dice >> 30 & 31), 0.4, 0.3);
  s.canvas.ellipse(x, 154, 26, 14, fur);
  s.canvas.ellipse(x + 19, 146, 12, 12, fur);
  s.canvas.rectangle(x - 5, 150, 8, 3, fur);
}

void draw_poster(const Scene& s, std::uint16_t camera) {
  const std::string number = std::to_string(camera);
  constexpr int scale = 7;
  const int width = static_cast<int>(number.size()) * 6 * scale - scale;
  const int x = 112 - width / 2;
  s.canvas.rectangle(x - 11, 46, width + 22, 65, {52, 44, 38});
  s.canvas.rectangle(x - 8, 49, width + 16, 59, {250, 248, 242});
  s.canvas.text(x, 54, scale, number, from_hsl(s.hue + 200, 0.75, 0.24));
}

void draw_caption(const Scene& s, std::uint16_t camera, const Place& place, std::string_view month,
                  const LocalTime& time) {
  s.canvas.rectangle(0, 0, picture_size.width, band, {});
  constexpr Color white{236, 236, 236};
  std::string room(place.room);
  std::ranges::transform(room, room.begin(),
                         [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  s.canvas.text(150, 6, 1, sealcam::format("CAMERA {}  {}", camera, room), {170, 170, 170});
  s.canvas.text(150, 17, 2, sealcam::format("{:02}:{:02}", time.hour, time.minute), white);
  s.canvas.text(218, 17, 1, sealcam::format("{}-{:02}", month, time.day), white);
  s.canvas.text(218, 26, 1, place.zone, {250, 204, 90});
}

}  // namespace

Place place_of(std::uint16_t camera) noexcept {
  const auto dice = spread(camera);
  const auto& zone = zones[dice % zones.size()];
  return {rooms[(dice >> 16) % rooms.size()], zone.name, zone.minutes};
}

RoomPicture::RoomPicture(const Calendar& calendar)
    : calendar_(calendar), pixels_(static_cast<std::size_t>(picture_size.width * picture_size.height * 3 / 2)) {
  const auto width = static_cast<std::size_t>(picture_size.width);
  const auto luma = width * static_cast<std::size_t>(picture_size.height);
  picture_.format = hal::PixelFormat::yu12;
  picture_.size = picture_size;
  picture_.planes = {hal::Plane{pixels_.data(), width}, hal::Plane{pixels_.data() + luma, width / 2},
                     hal::Plane{pixels_.data() + luma + luma / 4, width / 2}};
}

void RoomPicture::draw(std::uint16_t camera, unsigned group, unsigned step, FrameNumber number) {
  const Place place = place_of(camera);
  const LocalTime time = local_time(place, calendar_.day, group);
  const auto dice = spread(camera);
  Canvas canvas(pixels_, picture_size);
  const Scene scene{canvas, dice, static_cast<double>(camera * 47 % 360), time.hour < 7 || time.hour >= 19,
                    group,  step};
  draw_walls(scene);
  draw_window(scene);
  draw_poster(scene, camera);
  if (place.room == "bedroom" || place.room == "nursery") draw_bed(scene, place.room == "nursery");
  else if (place.room == "living room" || place.room == "playroom" || place.room == "terrace") draw_sofa(scene);
  else draw_table(scene);
  draw_lamp(scene);
  draw_pet(scene);
  draw_caption(scene, camera, place, calendar_.month, time);
  picture_.number = number;
  hal::fake::draw_mark({pixels_.data(), static_cast<std::size_t>(picture_size.width), picture_size}, {number, camera});
}

}  // namespace sealcam::incident
