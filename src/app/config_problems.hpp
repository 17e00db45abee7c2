#pragma once
#include "config_check.hpp"

#include "repartee/net/url.hpp"

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace repartee::app {

/// The mistakes found so far, each with the setting and where it got its value.
class Problems {
public:
    explicit Problems(const SourceOf& source_of) : source_of_(source_of) {}

    void refuse(std::string_view name, std::string_view why);
    void refuse_value(std::string_view name, std::string_view value, std::string_view why);
    /// The address, when it is one with such a scheme.
    std::optional<net::Url> check_url(std::string_view name, const std::string& url, std::initializer_list<std::string_view> schemes);
    /// An empty path is no mistake.
    void check_exists(std::string_view name, const std::string& path, bool folder);

    std::vector<std::string> take() { return std::move(problems_); }

private:
    const SourceOf& source_of_;
    std::vector<std::string> problems_;
};

/// [realtime_2] and [realtime_3].
void check_other_realtimes(const Config& config, Problems& problems);
/// What lets a conversation outlive its connections, and what is kept of it.
void check_lasting(const Config& config, Problems& problems);
/// What belongs to the services that hear, think and speak, and to what is made of them.
void check_roles(const Config& config, Problems& problems);

}  // namespace repartee::app
