# What a request may contain. Anything else is rejected before anything runs.
#
# Exact values are matched by a pattern or by Equals, because -ceq and -ccontains
# ignore invisible characters such as a soft hyphen.
# Source: Microsoft, String.Compare, on ignorable characters.

# The registered names of the two issuers of the procedure.
$FarmTrustIssuers = '67e3df25-268a-4324-a550-0de1c7f97287@bd2372e4-0a11-495c-9541-8377c6def195',
    '67e3df25-268a-4324-a550-0de1c7f97287@ffab2d74-c6ae-4375-819a-8555d49b699a'

# The parameters of each verb, and the fields of the objects in them, each with
# the kind of its value. A kind with a star is a list of such values.
$FarmTrustShapes = @{
    'Get-SharePointFarm' = @{ Sites = 'Site*'; RegisteredNames = 'Issuer*'; Names = 'Name*'; Thumbprints = 'Thumbprint*' }
    'Set-TrustedIssuer' = @{ Name = 'Name'; RegisteredName = 'Issuer'; Certificate = 'Certificate'; Sites = 'Site*' }
    'Add-RootAuthority' = @{ Authorities = 'Authority*' }
    'Remove-RootAuthority' = @{ Thumbprints = 'Thumbprint*'; RegisteredNames = 'Issuer*' }
    'Restore-TrustedIssuer' = @{
        RegisteredName = 'Issuer'; Ours = 'Thumbprint'; Previous = 'Previous'; Description = 'Description'; Permissions = 'Permission*'
    }
    'Permission' = @{ Site = 'Site'; Right = 'Right'; AppOnly = 'Switch' }
    'Authority' = @{ Name = 'Name'; Certificate = 'Certificate' }
}

# Reports whether a text is the base64 form of one certificate without a key.
function Test-EncodedCertificate {
    [CmdletBinding()]
    param([string] $Text)

    if ($Text.Length -gt 65536) { return $false }
    try { (New-PublicCertificate -Der ([Convert]::FromBase64String($Text))).Dispose() }
    catch { return $false }
    return $true
}

function Test-Value {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Kind,
        [object] $Value
    )

    if ($FarmTrustShapes.ContainsKey($Kind)) {
        Assert-Shape -Name $Kind -Value $Value
        return $true
    }
    if ($Kind -eq 'Switch') { return $Value -is [bool] }
    if ($Value -isnot [string]) { return $false }
    # \z, because $ also matches before a final line feed.
    if ($Kind -eq 'Issuer') { return $Value -cmatch "\A($($FarmTrustIssuers -join '|'))\z" }
    if ($Kind -eq 'Name') { return $Value -cmatch '\A[^\x00-\x1f\x7f]{1,256}\z' }
    if ($Kind -eq 'Site') { return $Value -cmatch '\Ahttps?://[^\x00-\x20\x7f"<>\\]{1,2000}\z' }
    if ($Kind -eq 'Thumbprint') { return $Value -cmatch '\A[0-9A-F]{40}\z' }
    if ($Kind -eq 'Right') { return $Value -cmatch '\A(Read|Write|Manage|FullControl)?\z' }
    if ($Kind -eq 'Description') { return $Value -cmatch '\A[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]{0,4096}\z' }
    # An empty text means that there was no issuer before.
    if ($Kind -eq 'Previous' -and $Value.Length -eq 0) { return $true }
    if ($Kind -eq 'Previous') { return Test-EncodedCertificate -Text $Value }
    if ($Kind -eq 'Certificate') { return Test-EncodedCertificate -Text $Value }
    return $false
}

# Ends with an error unless a value is an object whose fields all belong to this
# shape. A field that is null counts as left out.
function Assert-Shape {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Name,
        [object] $Value
    )

    if ($Value -isnot [System.Management.Automation.PSCustomObject]) {
        Stop-Script -Id 'TaskRefused' -Message "$Name is not an object"
    }
    $shape = $FarmTrustShapes[$Name]
    foreach ($property in $Value.PSObject.Properties) {
        $field = $property.Name
        if (-not $shape.ContainsKey($field)) { Stop-Script -Id 'TaskRefused' -Message "$Name has no field '$field'" }
        if ($null -eq $property.Value) { continue }
        $kind = [string] $shape[$field]
        $values = @(, $property.Value)
        if ($kind.EndsWith('*')) {
            $kind = $kind.TrimEnd('*')
            if ($property.Value -isnot [System.Collections.IList] -or $property.Value.Count -gt 1000) {
                Stop-Script -Id 'TaskRefused' -Message "$field of $Name is not a list of at most 1000 values"
            }
            $values = $property.Value
        }
        foreach ($one in $values) {
            if (-not (Test-Value -Kind $kind -Value $one)) {
                Stop-Script -Id 'TaskRefused' -Message "$field of $Name has a value that is not a valid $($kind.ToLowerInvariant())"
            }
        }
    }
}
