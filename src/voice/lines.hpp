#pragma once
#include <string>
#include <string_view>
#include <vector>

/// What is said when nobody configured anything else: "ko" in Korean, every other language in English.
namespace repartee::voice {

std::string_view default_agent(std::string_view language);
std::string_view not_understood_line(std::string_view language);
std::string_view interview_closing_line(std::string_view language);
std::vector<std::string> interview_questions(std::string_view language);

}  // namespace repartee::voice
