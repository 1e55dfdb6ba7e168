-- Why: customers of an add-on move to its next version as those of a plan do: one dated change each, which is undone as one. Until
-- now it could only be taken off and added again: two changes, of which one could be undone without the other.

ALTER TABLE subscription_change
  DROP CONSTRAINT subscription_change_kind_check,
  ADD CONSTRAINT subscription_change_kind_check CHECK (kind IN ('plan', 'seats', 'add_on', 'free_add_on', 'move_add_on',
    'remove_add_on', 'pause', 'resume', 'cancel', 'reactivate', 'end_trial')),
  DROP CONSTRAINT subscription_change_check,
  ADD CONSTRAINT subscription_change_check CHECK (
    (kind IN ('plan', 'add_on', 'free_add_on', 'move_add_on', 'remove_add_on')) = (plan_version_id IS NOT NULL));

COMMENT ON INDEX subscription_change_by_version IS
  'Finds what was asked for a version. The moves to all versions of a plan are put in order from there; each version''s own are in it.';
