// KITTI's evaluation in the way of the benchmark's development kit (Geiger, Lenz, Urtasun, CVPR
// 2012): for every class, metric, difficulty and score threshold all objects of all frames are gone
// through anew and each overlap is measured again, on the ground by general polygons of Boost.
// One thing is done less than there: DontCare regions are compared in the image only.

#include <boost/geometry.hpp>
#include <boost/geometry/geometries/point_xy.hpp>
#include <boost/geometry/geometries/polygon.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <strings.h>
#include <vector>

namespace {

namespace geo = boost::geometry;
using Polygon = geo::model::polygon<geo::model::d2::point_xy<double>>;

enum Metric { IMAGE, GROUND, SPACE, METRICS };
constexpr int CLASSES = 3, LEVELS = 3, STEPS = 41;
const char* const NAMES[CLASSES] = {"car", "pedestrian", "cyclist"};
const char* const NEIGHBOURS[CLASSES] = {"van", "person_sitting", ""};
const double LEAST[CLASSES] = {0.7, 0.5, 0.5};  // overlap, by class, for every metric
const double MIN_HEIGHT[LEVELS] = {40, 25, 25};
const int MAX_OCCLUSION[LEVELS] = {0, 1, 2};
const double MAX_TRUNCATION[LEVELS] = {0.15, 0.3, 0.5};

struct Object {
  std::string name;
  double truncation, occlusion, alpha, left, top, right, bottom;
  double height, width, length, x, y, z, turn, score;
  bool is(const char* other) const { return strcasecmp(name.c_str(), other) == 0; }
};
using Frame = std::vector<Object>;

bool read(const std::string& path, bool scored, Frame& frame) {
  FILE* file = std::fopen(path.c_str(), "r");
  if (!file) return false;
  char name[64];
  Object o;
  o.score = 1;
  while (std::fscanf(file, "%63s %lf %lf %lf %lf %lf %lf %lf %lf %lf %lf %lf %lf %lf %lf", name,
                     &o.truncation, &o.occlusion, &o.alpha, &o.left, &o.top, &o.right, &o.bottom,
                     &o.height, &o.width, &o.length, &o.x, &o.y, &o.z, &o.turn) == 15) {
    if (scored && std::fscanf(file, "%lf", &o.score) != 1) break;
    o.name = name;
    frame.push_back(o);
  }
  std::fclose(file);
  return true;
}

double area_in_image(const Object& o) { return (o.right - o.left) * (o.bottom - o.top); }

double shared_in_image(const Object& a, const Object& b) {
  const double width = std::min(a.right, b.right) - std::max(a.left, b.left);
  const double height = std::min(a.bottom, b.bottom) - std::max(a.top, b.top);
  return width <= 0 || height <= 0 ? 0 : width * height;
}

Polygon on_ground(const Object& o) {
  const double cosine = std::cos(o.turn), sine = std::sin(o.turn);
  Polygon polygon;
  for (const auto& [along, across] : {std::pair(1, 1), {1, -1}, {-1, -1}, {-1, 1}, {1, 1}}) {
    const double a = along * o.length / 2, b = across * o.width / 2;
    geo::append(polygon, geo::model::d2::point_xy<double>(
                             o.x + cosine * a + sine * b, o.z - sine * a + cosine * b));
  }
  geo::correct(polygon);
  return polygon;
}

double overlap(Metric metric, const Object& found, const Object& truth) {
  if (metric == IMAGE) {
    const double shared = shared_in_image(found, truth);
    return shared / (area_in_image(found) + area_in_image(truth) - shared);
  }
  const Polygon a = on_ground(truth), b = on_ground(found);
  std::vector<Polygon> both, either;
  geo::intersection(a, b, both);
  const double shared = both.empty() ? 0 : geo::area(both.front());
  if (metric == GROUND) {
    geo::union_(a, b, either);
    return shared / geo::area(either.front());
  }
  const double floor = std::min(found.y, truth.y);  // y points down
  const double ceiling = std::max(found.y - found.height, truth.y - truth.height);
  const double volume = shared * std::max(0.0, floor - ceiling);
  const double own = found.height * found.width * found.length;
  return volume / (own + truth.height * truth.width * truth.length - volume);
}

enum Use { OTHER = -1, COUNTS = 0, IGNORED = 1 };

Use use_of_truth(const Object& o, int kind, int level) {
  const bool own = o.is(NAMES[kind]);
  if (!own && !o.is(NEIGHBOURS[kind])) return OTHER;
  const bool hard = o.occlusion > MAX_OCCLUSION[level] || o.truncation > MAX_TRUNCATION[level] ||
                    o.bottom - o.top <= MIN_HEIGHT[level];
  return own && !hard ? COUNTS : IGNORED;
}

Use use_of_found(const Object& o, int kind, int level) {
  if (std::fabs(o.bottom - o.top) < MIN_HEIGHT[level]) return IGNORED;
  return o.is(NAMES[kind]) ? COUNTS : OTHER;
}

// One class of all frames at one difficulty, by one metric.
struct Question {
  int kind, level;
  Metric metric;
  double least() const { return LEAST[kind]; }
};

struct Counts {
  int right = 0, wrong = 0;
  double alike = 0;  // how well the directions of the right ones agree, in all
};

// Scores of the true positives where each object takes the best-scored detection it can.
void best_scores(const Frame& truths, const Frame& founds, const std::vector<Use>& wanted,
                 const std::vector<Use>& offered, Question q, std::vector<double>& scores) {
  std::vector<bool> taken(founds.size());
  for (size_t i = 0; i < truths.size(); i++) {
    if (wanted[i] == OTHER) continue;
    int best = -1;
    for (size_t j = 0; j < founds.size(); j++) {
      if (offered[j] == OTHER || taken[j]) continue;
      if (overlap(q.metric, founds[j], truths[i]) > q.least() &&
          (best < 0 || founds[j].score > founds[best].score))
        best = int(j);
    }
    if (best < 0) continue;
    taken[best] = true;
    if (wanted[i] == COUNTS && offered[best] == COUNTS) scores.push_back(founds[best].score);
  }
}

void count(const Frame& truths, const Frame& founds, const std::vector<Use>& wanted,
           const std::vector<Use>& offered, Question q, double threshold, Counts& counts) {
  std::vector<bool> gone(founds.size());
  for (size_t j = 0; j < founds.size(); j++)
    gone[j] = offered[j] == OTHER || founds[j].score < threshold;
  for (size_t i = 0; i < truths.size(); i++) {
    if (wanted[i] == OTHER) continue;
    int best = -1;
    double most = 0;
    for (size_t j = 0; j < founds.size(); j++) {
      if (gone[j]) continue;
      const double shared = overlap(q.metric, founds[j], truths[i]);
      if (!(shared > q.least())) continue;
      if (offered[j] == COUNTS && (best < 0 || offered[best] == IGNORED || shared > most)) {
        best = int(j);
        most = shared;
      } else if (best < 0 && offered[j] == IGNORED) {
        best = int(j);
      }
    }
    if (best < 0) continue;
    gone[best] = true;
    if (wanted[i] == COUNTS && offered[best] == COUNTS) {
      counts.right++;
      counts.alike += (1 + std::cos(truths[i].alpha - founds[best].alpha)) / 2;
    }
  }
  for (size_t j = 0; j < founds.size(); j++) {
    if (gone[j] || offered[j] != COUNTS) continue;
    bool stuff = false;
    for (size_t i = 0; q.metric == IMAGE && i < truths.size() && !stuff; i++)
      stuff = truths[i].is("dontcare") && shared_in_image(founds[j], truths[i]) /
                                                  area_in_image(founds[j]) > q.least();
    counts.wrong += !stuff;
  }
}

// The scores at which the true positives come closest to the recalls 0, 1/40 ... 1.
std::vector<double> thresholds_of(std::vector<double>& scores, int objects) {
  std::sort(scores.begin(), scores.end(), std::greater<double>());
  std::vector<double> chosen;
  double recall = 0;
  for (size_t i = 0; i < scores.size() && chosen.size() < STEPS; i++) {
    const bool last = i + 1 == scores.size();
    const double here = double(i + 1) / objects, next = last ? here : double(i + 2) / objects;
    if (!last && next - recall < recall - here) continue;
    chosen.push_back(scores[i]);
    recall += 1.0 / (STEPS - 1);
  }
  return chosen;
}

void curve_of(const std::vector<Frame>& truths, const std::vector<Frame>& founds, Question q,
              double* precision, double* oriented) {
  std::vector<std::vector<Use>> wanted(truths.size()), offered(truths.size());
  std::vector<double> scores;
  int objects = 0;
  for (size_t n = 0; n < truths.size(); n++) {
    for (const Object& o : truths[n]) {
      wanted[n].push_back(use_of_truth(o, q.kind, q.level));
      objects += wanted[n].back() == COUNTS;
    }
    for (const Object& o : founds[n]) offered[n].push_back(use_of_found(o, q.kind, q.level));
    best_scores(truths[n], founds[n], wanted[n], offered[n], q, scores);
  }
  const std::vector<double> thresholds = thresholds_of(scores, objects);
  for (size_t step = 0; step < thresholds.size(); step++) {
    Counts counts;
    for (size_t n = 0; n < truths.size(); n++)
      count(truths[n], founds[n], wanted[n], offered[n], q, thresholds[step], counts);
    const int all = counts.right + counts.wrong;
    precision[step] = all ? double(counts.right) / all : 0;
    oriented[step] = all ? counts.alike / all : 0;
  }
  for (int step = STEPS - 2; step >= 0; step--) {
    precision[step] = std::max(precision[step], precision[step + 1]);
    oriented[step] = std::max(oriented[step], oriented[step + 1]);
  }
}

}  // namespace

// Curves (class, metric, level, precision or orientation, 41), zeros on entry, of the frames
// 000000.txt ... in two folders. Returns how many frames could be read; all, if all is well.
extern "C" int kitti_eval(const char* truth, const char* results, int frames, double* curves) {
  std::vector<Frame> truths(frames), founds(frames);
  for (int n = 0; n < frames; n++) {
    char name[32];
    std::snprintf(name, sizeof name, "/%06d.txt", n);
    if (!read(std::string(truth) + name, false, truths[n]) ||
        !read(std::string(results) + name, true, founds[n]))
      return n;
  }
  for (int kind = 0; kind < CLASSES; kind++)
    for (int metric = 0; metric < METRICS; metric++)
      for (int level = 0; level < LEVELS; level++, curves += 2 * STEPS)
        curve_of(truths, founds, {kind, level, Metric(metric)}, curves, curves + STEPS);
  return frames;
}
