#pragma once
#include "config_table.hpp"

#include "repartee/audio/pcm.hpp"

#include <utility>

/// How the tables of settings are written down.
namespace repartee::app {

inline constexpr double hour_ms = 3'600'000;
inline constexpr double bytes_cap = 1 << 30;

/// Adds the settings of one section; each method is one kind of setting.
class Section {
public:
    Section(std::vector<Setting>& all, std::string name) : all_(all), name_(std::move(name)) {}

    void text(std::string key, std::string& target, std::string description) { add(std::move(key), &target, std::move(description)); }
    void secret(std::string key, std::string& target, std::string description)
    {
        add(std::move(key), &target, std::move(description)).secret = true;
    }
    void path(std::string key, std::string& target, std::string description)
    {
        add(std::move(key), &target, std::move(description)).path = true;
    }
    void choice(std::string key, std::string& target, std::vector<std::string> choices, std::string description)
    {
        add(std::move(key), &target, std::move(description)).choices = std::move(choices);
    }
    void integer(std::string key, std::int64_t& target, double min, double max, std::string description)
    {
        Setting& setting = add(std::move(key), &target, std::move(description));
        setting.min = min;
        setting.max = max;
    }
    void rate(std::string key, std::int64_t& target, std::string description)
    {
        Setting& setting = add(std::move(key), &target, std::move(description));
        for (int hz : audio::client_rates_hz) setting.choices.push_back(std::to_string(hz));
    }
    void number(std::string key, double& target, double min, double max, std::string description)
    {
        Setting& setting = add(std::move(key), &target, std::move(description));
        setting.min = min;
        setting.max = max;
    }
    void flag(std::string key, bool& target, std::string description) { add(std::move(key), &target, std::move(description)); }

private:
    Setting& add(std::string key, Setting::Target target, std::string description)
    {
        return all_.emplace_back(Setting{.section = name_, .key = std::move(key), .target = target, .description = std::move(description)});
    }

    std::vector<Setting>& all_;
    std::string name_;
};

// config_table_roles.cpp: the services that hear, think and speak, and what they work with.
void add_roles(std::vector<Setting>& all, Config& config);
// config_table_voice.cpp: interviews, voice chat, listening, and what they remember.
void add_voice(std::vector<Setting>& all, Config& config);
// config_table_lasting.cpp: what lets a conversation outlive its connections, and what is kept of it.
void add_other_realtimes(std::vector<Setting>& all, Config& config);
void add_recovery(std::vector<Setting>& all, Config::Recovery& c);
void add_turn_taking(std::vector<Setting>& all, Config::TurnTaking& c);
void add_resume(std::vector<Setting>& all, Config::Resume& c);
void add_transcripts(std::vector<Setting>& all, Config::Transcripts& c);
void add_recording(std::vector<Setting>& all, Config::Recording& c);

}  // namespace repartee::app
