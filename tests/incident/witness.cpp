// SPDX-License-Identifier: Apache-2.0
#include "witness.hpp"

#include <algorithm>

namespace sealcam::incident {

Witness::Witness(std::uint32_t account, const Dependencies& deps) : account_(account), deps_(deps) {
  if (deps.film) film_ = std::make_unique<FilmJudge>();
}

void Witness::begin_request() {
  answers_.emplace_back();
  answered_ = false;
  ++deps_.tally.requests;
}

const Origin* Witness::arrived(ByteView message) {
  const auto* const origin = deps_.provenance.find(message);
  if (origin == nullptr) return nullptr;
  answered_ = true;
  auto& t = deps_.tally;
  const bool wrong = !is_own(*origin);
  if (origin->kind == Kind::still) ++t.stills, t.wrong_stills += wrong ? 1 : 0;
  else if (origin->kind == Kind::key) ++t.keys, t.wrong_keys += wrong ? 1 : 0;
  else if (origin->kind == Kind::delta) ++t.deltas;
  if (origin->damaged) ++t.damaged;
  if (answers_.empty()) return origin;
  if (wrong) answers_.back().strangers.push_back(static_cast<std::uint16_t>(origin->source + 1));
  if (origin->damaged) ++answers_.back().damaged;
  return origin;
}

// A picture that the cache delivers again or late must not be shown after a newer one.
void Witness::own_arrived(FrameNumber number) {
  if (newest_own_ && number <= *newest_own_) return;
  newest_own_ = number;
  own_whole_.insert(number);
}

void Witness::shown(FrameNumber number, bool alone, ByteView access_unit) {
  judge_film(access_unit);
  if (!alone) return;
  const Sight sight = deps_.judge.look(access_unit, deps_.sheet);
  if (!sight.picture) return;
  auto& t = deps_.tally;
  Shown shown{std::nullopt, sight.image, sight.damaged};
  if (sight.mark) shown.camera = sight.mark->camera;
  if (!shown.camera) {
    ++t.shown_unreadable;
  } else if (*shown.camera != own_camera()) {
    ++t.shown_wrongly;
  } else {
    ++t.shown_own;
    own_shown_.insert(number);
  }
  if (!answers_.empty()) answers_.back().shown.push_back(shown);
}

void Witness::judge_film(ByteView access_unit) {
  if (!film_) return;
  const auto mark = film_->look(access_unit);
  if (!mark) return;
  ++deps_.tally.film_pictures;
  if (mark->camera != own_camera()) ++deps_.tally.film_wrong;
}

std::vector<Answer> Witness::finish() {
  deps_.tally.own_whole += own_whole_.size();
  deps_.tally.own_whole_shown += static_cast<std::uint64_t>(
      std::ranges::count_if(own_whole_, [this](FrameNumber n) { return own_shown_.contains(n); }));
  return std::move(answers_);
}

}  // namespace sealcam::incident
