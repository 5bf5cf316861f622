-- Questions and their answers from the public Stack Overflow tables of BigQuery: asked since 2020,
-- question and answer with a score of 5 or more, a tag with python, javascript or java in its name.
-- Run it, save the result as CSV or parquet, then:
--   python -m dataset build bigquery EXPORT --out dataset/question_answer.csv
-- The first seven columns are needed; the others are kept where they are. For tags that match by
-- their whole name, take the commented condition instead of the three LIKEs.
SELECT
  question.id AS question_id,
  question.title AS question_title,
  question.body AS question_body,
  question.tags AS question_tags,
  answer.id AS answer_id,
  answer.body AS answer_body,
  answer.score AS answer_score,
  COALESCE(question.accepted_answer_id = answer.id, FALSE) AS is_accepted,
  question.score AS question_score,
  question.owner_display_name AS question_author,
  answer.owner_display_name AS answer_author,
  question.owner_user_id AS question_user_id,
  answer.owner_user_id AS answer_user_id,
  question.creation_date AS question_creation_date,
  answer.creation_date AS answer_creation_date
FROM `bigquery-public-data.stackoverflow.posts_questions` AS question
INNER JOIN `bigquery-public-data.stackoverflow.posts_answers` AS answer
  ON answer.parent_id = question.id
WHERE question.creation_date >= TIMESTAMP '2020-01-01'
  AND question.score >= 5
  AND answer.score >= 5
  AND (
    question.tags LIKE '%python%'
    OR question.tags LIKE '%javascript%'
    OR question.tags LIKE '%java%'
  )
  -- AND EXISTS (
  --   SELECT 1 FROM UNNEST(SPLIT(question.tags, '|')) AS tag
  --   WHERE tag IN ('python', 'javascript', 'java')
  -- )
-- Without an order, another 20,000 rows may come back each time.
ORDER BY answer.score DESC, question.id, answer.id
LIMIT 20000
