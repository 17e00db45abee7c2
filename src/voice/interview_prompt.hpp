#pragma once
#include "repartee/characters/character.hpp"
#include "repartee/voice/interview.hpp"

namespace repartee::voice {

/// Asks a model for the next question: its role (the interviewer's, when there is one), the topic, and what was said so far. Pure.
std::vector<providers::ChatMessage> question_prompt(const InterviewSettings& settings, const InterviewState& state,
                                                    const characters::Character* interviewer);

}  // namespace repartee::voice
