-- Why: two sums of an hour, each as large as a batch's may be, did not fit together, and the fold of their book stood still. An
-- event has less than 10^11 and a batch's sum less than 10^14; what is summed of them has room for any number.
ALTER TABLE usage_rollup ALTER COLUMN quantity TYPE numeric(30,6);
ALTER TABLE usage_book_hour ALTER COLUMN quantity TYPE numeric(30,6);
ALTER TABLE usage_customer_day ALTER COLUMN quantity TYPE numeric(30,6);
